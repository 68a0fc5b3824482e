import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { filesOf, isOurs } from '../../src/agents/install/command.js';
import { testFolder } from '../support/folder.js';
import { PACKAGE, Place } from '../support/install-place.js';

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
