import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { installedHooks } from '../../src/agents/install/installed.js';
import { PACKAGE, Place } from '../support/install-place.js';

describe('what doctor finds', () => {
  const found = (place: Place) => installedHooks(null, { HOME: place.home });

  test('nothing where nothing is installed', () => {
    expect(found(new Place())).toEqual([]);
  });

  test('a file that is missing', () => {
    const place = new Place();
    place.plan('claude-code').apply();
    place.plan('opencode').apply();
    const problem = expect.stringContaining('hook.cjs is missing');
    expect(found(place)).toEqual([
      expect.objectContaining({ host: 'claude-code', problem, probe: null }),
      expect.objectContaining({ host: 'opencode', problem }),
    ]);
  });

  test('a hook that Codex was not told to trust', () => {
    const place = new Place();
    const hook = join(place.home, 'hook.cjs');
    writeFileSync(hook, '');
    place.plan('codex', { package: { ...PACKAGE, hook } }).apply();
    expect(found(place)).toMatchObject([{ host: 'codex', problem: null, isUntrusted: true }]);
    const key = `${join(place.home, '.codex/hooks.json')}:pre_tool_use:0:0`;
    const config = `[hooks.state."${key}"]\ntrusted_hash = "sha256:x"\n`;
    writeFileSync(join(place.home, '.codex', 'config.toml'), config);
    expect(found(place)).toMatchObject([{ host: 'codex', problem: null, isUntrusted: false }]);
  });

  test('settings that are not JSON any more, or turned off', () => {
    const place = new Place();
    const hook = join(place.home, 'hook.cjs');
    writeFileSync(hook, '');
    place.plan('claude-code', { package: { ...PACKAGE, hook } }).apply();
    const file = join(place.home, '.claude', 'settings.json');
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace('{', '{ "disableAllHooks": true,'));
    expect(found(place)).toMatchObject([{ problem: expect.stringContaining('disableAllHooks') }]);
    writeFileSync(file, `${text}x`);
    expect(found(place)).toMatchObject([{ problem: expect.stringContaining('JSON') }]);
  });
});
