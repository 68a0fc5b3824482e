import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { HOSTS, type HostName } from '../../src/agents/hosts.js';
import { filesOf } from '../../src/agents/install/command.js';
import { UnchangedSettings } from '../../src/agents/install/install.js';
import { lineDiff } from '../../src/agents/install/line-diff.js';
import { ownCommands } from '../../src/agents/install/settings.js';
import { CannotInstall } from '../../src/agents/install/target.js';
import { PACKAGE, Place } from '../support/install-place.js';

const SETTINGS: [HostName, string][] = [
  ['claude-code', '.claude/settings.json'],
  ['codex', '.codex/hooks.json'],
  ['gemini', '.gemini/settings.json'],
  ['cursor', '.cursor/hooks.json'],
];

describe.each(SETTINGS)('the settings of %s', (name, file) => {
  test('get the hook, and lose it again', () => {
    const place = new Place();
    const path = join(place.home, file);
    const made = place.plan(name);
    expect(made).toMatchObject({
      file: path,
      diff: expect.arrayContaining([expect.stringMatching(/^\+/)]),
    });
    expect(existsSync(path)).toBe(false);
    made.apply();
    const settings = JSON.parse(readFileSync(path, 'utf8'));
    const { tool, sessionEnd, subagentEnd } = HOSTS[name].events;
    const events = [tool, sessionEnd, subagentEnd].filter((each) => each !== null);
    expect(ownCommands(settings).map(({ event }) => event)).toEqual(events);
    place.plan(name, { remove: true }).apply();
    expect(existsSync(path)).toBe(false);
  });

  test('keep what they have, in its order and form', () => {
    const place = new Place();
    const path = join(place.home, file);
    const other =
      name === 'cursor' ? { command: 'x' } : { matcher: 'X', hooks: [{ command: 'x' }] };
    const { tool } = HOSTS[name].events;
    const before = { z: 1, hooks: { Other: [other], [tool]: [other] }, a: [1, { b: null }] };
    const text = JSON.stringify(before, null, '\t');
    place.write(path, text);
    place.plan(name).apply();
    const made = readFileSync(path, 'utf8');
    const after = JSON.parse(made);
    expect(after).toMatchObject({ z: 1, a: [1, { b: null }] });
    expect(after.hooks.Other).toEqual([other]);
    expect(after.hooks[tool][0]).toEqual(other);
    expect(made).toContain('\n\t"z"');
    expect(made.endsWith('}')).toBe(true);
    place.plan(name, { remove: true }).apply();
    const { version, ...rest } = JSON.parse(readFileSync(path, 'utf8'));
    expect(rest).toEqual(before);
    expect(version).toBe(name === 'cursor' ? 1 : undefined);
  });

  test('are not changed a second time', () => {
    const place = new Place();
    place.plan(name).apply();
    const again = place.plan(name);
    expect(again.diff).toEqual([]);
    const before = statSync(again.file);
    again.apply();
    expect(statSync(again.file).ino).toBe(before.ino);
  });

  test('get the new command in the place of an old one', () => {
    const place = new Place();
    place.plan(name).apply();
    const path = join(place.home, file);
    const settings = JSON.parse(readFileSync(path, 'utf8'));
    const { tool } = HOSTS[name].events;
    settings.hooks[tool].push(name === 'cursor' ? { command: 'x' } : { hooks: [{ command: 'x' }] });
    place.write(path, JSON.stringify(settings));
    place.plan(name, { package: { ...PACKAGE, hook: '/new/dist/hook.cjs' } }).apply();
    const after = JSON.parse(readFileSync(path, 'utf8'));
    expect(after.hooks[tool]).toHaveLength(2);
    expect(after.hooks[tool][1]).toEqual(settings.hooks[tool][1]);
    const files = new Set(ownCommands(after).map(({ command }) => filesOf(command).file));
    expect([...files]).toEqual(['/new/dist/hook.cjs']);
  });

  test.each(['{ "a": 1, // a comment\n}', '[]', '7', '{', '{"hooks":[]}', '{"hooks":7}'])(
    'that are not what they should be are never overwritten: %s',
    (text) => {
      const place = new Place();
      const path = join(place.home, file);
      place.write(path, text);
      expect(() => place.plan(name)).toThrow(UnchangedSettings);
      try {
        place.plan(name);
      } catch (error) {
        expect(error).toMatchObject({ kind: 'settings' });
        expect((error as UnchangedSettings).diff.length).toBeGreaterThan(5);
      }
      expect(readFileSync(path, 'utf8')).toBe(text);
    },
  );

  test('that are read-only are left alone, also for root', () => {
    const place = new Place();
    const path = join(place.home, file);
    place.write(path, '{}');
    chmodSync(path, 0o444);
    expect(() => place.plan(name).apply()).toThrow(CannotInstall);
    expect(readFileSync(path, 'utf8')).toBe('{}');
  });

  test('that are a symbolic link stay one, and that is said', () => {
    const place = new Place();
    const path = join(place.home, file);
    const real = join(place.home, 'dotfiles', 'settings');
    place.write(real, '{}\n');
    chmodSync(real, 0o600);
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync(real, path);
    const made = place.plan(name);
    expect(made.notes[0]).toContain(real);
    made.apply();
    expect(ownCommands(JSON.parse(readFileSync(real, 'utf8'))).length).toBeGreaterThan(0);
    expect(realpathSync(path)).toBe(real);
    expect(statSync(real).mode & 0o777).toBe(0o600);
  });

  test('that are a dangling link are refused', () => {
    const place = new Place();
    const path = join(place.home, file);
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync('/nowhere/at/all', path);
    expect(() => place.plan(name)).toThrow(CannotInstall);
  });
});

test('a diff shows what changes, with a little of what is around it', () => {
  const before = ['a', 'b', 'c', 'd', 'e', 'f', 'g', ''].join('\n');
  const after = ['a', 'b', 'c', 'd', 'x', 'f', 'g', 'h', ''].join('\n');
  expect(lineDiff(before, after)).toEqual(['…', ' c', ' d', '-e', '+x', ' f', ' g', '+h']);
  expect(lineDiff(before, before)).toEqual([]);
  expect(lineDiff('', 'a\n')).toEqual(['+a']);
});
