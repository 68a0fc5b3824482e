import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ownCommand } from '../../src/native/own-command.js';
import { testFolder } from '../support/folder.js';

function withProgram(folder: string, name = 'holdfast'): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, name), '#!/bin/sh\n');
  chmodSync(join(folder, name), 0o755);
  return folder;
}

describe('the command that a refusal names', () => {
  test('is "holdfast" where the PATH has it', () => {
    const bin = withProgram(join(testFolder(), 'bin'));
    expect(ownCommand(testFolder(), `/nowhere:${bin}`)).toBe('holdfast');
  });

  test('is not "holdfast" where the PATH only has a folder of that name', () => {
    const sources = join(testFolder(), 'src');
    mkdirSync(join(sources, 'holdfast'), { recursive: true });
    expect(ownCommand(testFolder(), sources)).not.toBe('holdfast');
  });

  test('goes through npx where npx finds it in the project', () => {
    const project = testFolder();
    withProgram(join(project, 'node_modules', '.bin'));
    const bin = withProgram(join(testFolder(), 'bin'), 'npx');
    const deep = join(project, 'src', 'deep');
    mkdirSync(deep, { recursive: true });
    expect(ownCommand(deep, bin)).toBe('npx holdfast');
    expect(ownCommand(deep, '')).not.toContain('npx');
  });

  test('goes through npx wherever it walks up to the package', () => {
    const project = testFolder();
    withProgram(join(project, 'node_modules', '.bin'));
    const bin = withProgram(join(testFolder(), 'bin'), 'npx');
    const inner = join(project, 'packages', 'inner');
    const deep = join(inner, 'src');
    mkdirSync(deep, { recursive: true });
    writeFileSync(join(inner, 'package.json'), '{}');
    expect(ownCommand(inner, bin)).toBe('npx holdfast');
    expect(ownCommand(deep, bin)).toBe('npx holdfast');
    // There npm would run it in the folder above, where a path is another file.
    writeFileSync(join(project, 'package.json'), '{"workspaces":["packages/*"]}');
    expect(ownCommand(inner, bin)).toBe('npx holdfast');
    expect(ownCommand(join(project, 'packages'), bin)).toBe('npx holdfast');
    expect(ownCommand(deep, bin)).not.toContain('npx');
  });

  test('is not what npm has in the PATH of what it runs', () => {
    const project = testFolder();
    const local = withProgram(join(project, 'node_modules', '.bin'));
    const bin = withProgram(join(testFolder(), 'bin'), 'npx');
    expect(ownCommand(project, `${local}:${bin}`)).toBe('npx holdfast');
  });

  test('is this package itself anywhere else, and runs there', () => {
    const inner = testFolder();
    const command = ownCommand(inner, '');
    expect(command).not.toContain('npx');
    // Not even node is in this one.
    const env = { PATH: testFolder() };
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
