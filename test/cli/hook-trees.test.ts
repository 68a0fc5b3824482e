import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { finish } from '../support/command.js';
import { testFolder } from '../support/folder.js';
import { gitEnvironment, linkedTree, repository } from '../support/git.js';
import { needs } from '../support/tools.js';

const test = needs('git');

describe('a hook that only some working trees have', () => {
  const setting = () => {
    const folder = realpathSync(testFolder());
    const main = repository(join(folder, 'main'), 'a.ts');
    const linked = linkedTree(main, join(folder, 'linked'));
    const env = gitEnvironment({ HOME: join(folder, 'home') });
    const run = (cwd: string, ...words: string[]) => finish(words, { cwd, env });
    const install = (cwd: string, ...more: string[]) =>
      run(cwd, 'claim', 'install-hook', '--for', 'claude-code', ...more);
    return { main, linked, run, install };
  };
  const hooksOf = (stdout: string) => JSON.parse(stdout).hooks;

  test('install-hook names the trees without it', async () => {
    const { main, linked, install } = setting();
    expect(await install(main)).toMatchObject({
      code: 0,
      stderr: expect.stringContaining(`${linked}. Run this there too, or once with --user`),
    });
    const second = await install(linked);
    expect(second.code).toBe(0);
    expect(second.stderr).not.toContain('--user');
  });

  test('doctor reports it in the tree without it, and is no failure', async () => {
    const { main, linked, run, install } = setting();
    await install(main);
    const here = await run(linked, 'doctor', '--json', '.');
    expect(here.code).toBe(0);
    expect(hooksOf(here.stdout)).toMatchObject([
      { host: 'claude-code', scope: 'project', file: linked, ok: null },
    ]);
    expect(hooksOf(here.stdout)[0].detail).toContain(main);
    const there = await run(main, 'doctor', '--json', '.');
    expect(hooksOf(there.stdout)).toMatchObject([{ host: 'claude-code', ok: true }]);
  });

  test('one for the user is in all trees', async () => {
    const { main, linked, run, install } = setting();
    await install(main);
    await install(main, '--user');
    const { stdout } = await run(linked, 'doctor', '--json', '.');
    expect(hooksOf(stdout)).toMatchObject([{ scope: 'user', ok: true }]);
  });
});
