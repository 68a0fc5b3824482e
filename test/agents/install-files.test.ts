import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CannotInstall } from '../../src/agents/install/target.js';
import { Place } from '../support/install-place.js';
import { needs } from '../support/tools.js';

describe('the plugin of opencode', () => {
  const file = (place: Place): string => join(place.home, '.config/opencode/plugin/holdfast.js');

  test('is written and removed', () => {
    const place = new Place();
    place.plan('opencode', { unclaimed: 'deny' }).apply();
    expect(readFileSync(file(place), 'utf8')).toContain('{"unclaimed":"deny"}');
    expect(place.plan('opencode', { unclaimed: 'deny' }).diff).toEqual([]);
    place.plan('opencode', { remove: true }).apply();
    expect(existsSync(file(place))).toBe(false);
  });

  test('stops every write if it cannot load', async () => {
    const place = new Place();
    place.plan('opencode').apply();
    const { HoldfastClaims } = await import(file(place));
    const ask = (await HoldfastClaims({}))['tool.execute.before'];
    await expect(ask({ tool: 'write' }, {})).rejects.toThrow('holdfast doctor');
    await expect(ask({ tool: 'read' }, {})).resolves.toBeUndefined();
  });

  test('of somebody else is left alone', () => {
    const place = new Place();
    place.write(file(place), 'export const x = 1;\n');
    expect(() => place.plan('opencode')).toThrow(CannotInstall);
    expect(() => place.plan('opencode', { remove: true })).toThrow(CannotInstall);
  });
});

describe('the pre-commit hook of git', () => {
  const hook = (place: Place): string => join(place.home, 'hooks', 'pre-commit');

  test('is written, and removed', () => {
    const place = new Place();
    place.plan('git').apply();
    expect(statSync(hook(place)).mode & 0o777).toBe(0o755);
    expect(readFileSync(hook(place), 'utf8')).toContain('guard');
    place.plan('git').apply();
    place.plan('git', { remove: true }).apply();
    expect(existsSync(hook(place))).toBe(false);
  });

  needs('git')('runs the one that was there first, and gives it back', () => {
    const place = new Place();
    const earlier = '#!/bin/sh\necho earlier "$@"; exit 3\n';
    place.write(hook(place), earlier);
    chmodSync(hook(place), 0o755);
    const made = place.plan('git');
    expect(made.notes[0]).toContain('.before-holdfast');
    made.apply();
    place.plan('git').apply();
    const run = spawnSync(hook(place), ['x'], { encoding: 'utf8' });
    expect(run).toMatchObject({ status: 3, stdout: 'earlier x\n' });
    place.plan('git', { remove: true }).apply();
    expect(readFileSync(hook(place), 'utf8')).toBe(earlier);
    expect(statSync(hook(place)).mode & 0o777).toBe(0o755);
    expect(existsSync(`${hook(place)}.before-holdfast`)).toBe(false);
  });

  test('outside of a repository there is none', () => {
    expect(() => new Place().plan('git', { gitHooks: null })).toThrow(CannotInstall);
  });
});
