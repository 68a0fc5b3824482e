import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ownCommand } from '../../src/agents/own-command.js';
import { testFolder } from '../support/folder.js';

function withProgram(folder: string): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'holdfast'), '#!/bin/sh\n');
  chmodSync(join(folder, 'holdfast'), 0o755);
  return folder;
}

describe('the command that a refusal names', () => {
  test('is "holdfast" where the PATH has it', () => {
    const bin = withProgram(join(testFolder(), 'bin'));
    expect(ownCommand(testFolder(), `/nowhere:${bin}`)).toBe('holdfast');
  });

  test('goes through npx where npx finds it in the project', () => {
    const project = testFolder();
    withProgram(join(project, 'node_modules', '.bin'));
    mkdirSync(join(project, 'src', 'deep'), { recursive: true });
    expect(ownCommand(join(project, 'src', 'deep'), '')).toBe('npx holdfast');
  });

  test('is this package itself anywhere else, and runs there', () => {
    const project = testFolder();
    withProgram(join(project, 'node_modules', '.bin'));
    // A project of its own, in which npx would ask the registry.
    const inner = join(project, 'inner');
    mkdirSync(inner);
    writeFileSync(join(inner, 'package.json'), '{}');
    const command = ownCommand(inner, '');
    expect(command).not.toContain('npx');
    const env = { PATH: dirname(process.execPath) };
    const { status, stdout } = spawnSync('/bin/sh', ['-c', `${command} --version`], {
      cwd: inner,
      env,
      encoding: 'utf8',
    });
    expect({ status, stdout }).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^holdfast \d/),
    });
  });
});
