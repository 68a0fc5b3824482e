import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { HOSTS, type HostName } from '../../src/agents/hosts.js';
import { filesOf, isOurs } from '../../src/agents/install/command.js';
import {
  type InstallRequest,
  planInstallation,
  UnchangedSettings,
} from '../../src/agents/install/install.js';
import { installedHooks } from '../../src/agents/install/installed.js';
import { lineDiff } from '../../src/agents/install/line-diff.js';
import { ownCommands } from '../../src/agents/install/settings.js';
import { CannotInstall } from '../../src/agents/install/target.js';
import { testFolder } from '../support/folder.js';
import { needs } from '../support/tools.js';

const PACKAGE = {
  node: process.execPath,
  hook: "/it's here/dist/hook.cjs",
  command: '/it is/dist/cli/holdfast.js',
};

class Place {
  readonly home = realpathSync(testFolder());

  request(name: HostName, more: Partial<InstallRequest> = {}): InstallRequest {
    return {
      host: HOSTS[name],
      project: null,
      remove: false,
      package: PACKAGE,
      unclaimed: null,
      directory: null,
      gitHooks: join(this.home, 'hooks'),
      env: { HOME: this.home },
      ...more,
    };
  }

  plan(name: HostName, more?: Partial<InstallRequest>) {
    return planInstallation(this.request(name, more));
  }

  write(file: string, text: string): void {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
}

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

  test('that are a link to nowhere are refused', () => {
    const place = new Place();
    const path = join(place.home, file);
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync('/nowhere/at/all', path);
    expect(() => place.plan(name)).toThrow(CannotInstall);
  });
});

describe('the installed command', () => {
  const command = (hook: string): string => {
    const place = new Place();
    place.plan('codex', { package: { ...PACKAGE, hook } }).apply();
    const text = readFileSync(join(place.home, '.codex/hooks.json'), 'utf8');
    return JSON.parse(text).hooks.PreToolUse[0].hooks[0].command;
  };
  const run = (line: string) => spawnSync('sh', ['-c', line], { encoding: 'utf8', input: '{}' });
  const hookOf = (body: string): string => {
    const folder = join(testFolder(), "it's");
    mkdirSync(folder);
    writeFileSync(join(folder, 'hook.cjs'), body);
    return join(folder, 'hook.cjs');
  };

  test('is known again, whatever is in its paths', () => {
    expect(isOurs(command("/it's here/hook.cjs"))).toBe(true);
    expect(filesOf(command("/it's here/hook.cjs"))).toEqual({
      node: process.execPath,
      file: "/it's here/hook.cjs",
    });
    expect(isOurs('node hook.cjs')).toBe(false);
    expect(isOurs(7)).toBe(false);
  });

  test('passes what the hook passes, and refuses what it refuses', () => {
    expect(run(command(hookOf('')))).toMatchObject({ status: 0, stdout: '', stderr: '' });
    const refusing = hookOf('console.error("because"); process.exitCode = 2');
    expect(run(command(refusing))).toMatchObject({ status: 2, stderr: 'because\n' });
  });

  test.each([
    ['an exception', 'throw new Error("x")'],
    ['status 1', 'process.exit(1)'],
    ['a signal', 'process.kill(process.pid, "SIGKILL")'],
    ['a syntax error', '{'],
  ])('turns %s into a refusal with a text', (_, body) => {
    const { status, stderr } = run(command(hookOf(body)));
    expect(status).toBe(2);
    expect(stderr).toContain('holdfast doctor');
  });

  test('turns a missing file, and a missing node, into a refusal with a text', () => {
    expect(run(command('/nowhere/hook.cjs'))).toMatchObject({ status: 2 });
    const line = command('/nowhere/hook.cjs').replace(process.execPath, '/nowhere/node');
    const { status, stderr } = run(line);
    expect(status).toBe(2);
    expect(stderr).toContain('holdfast doctor');
  });
});

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

test('a diff shows what changes, with a little of what is around it', () => {
  const before = ['a', 'b', 'c', 'd', 'e', 'f', 'g', ''].join('\n');
  const after = ['a', 'b', 'c', 'd', 'x', 'f', 'g', 'h', ''].join('\n');
  expect(lineDiff(before, after)).toEqual(['…', ' c', ' d', '-e', '+x', ' f', ' g', '+h']);
  expect(lineDiff(before, before)).toEqual([]);
  expect(lineDiff('', 'a\n')).toEqual(['+a']);
});
