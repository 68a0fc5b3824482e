// What others put where a small file should be. To read a FIFO would wait for
// ever, and a device may have no end.
import { execFileSync } from 'node:child_process';
import { mkdirSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect } from 'vitest';
import { finish } from '../support/command.js';
import { testFolder } from '../support/folder.js';
import { gitEnvironment, linkedTree, repository } from '../support/git.js';
import { needs } from '../support/tools.js';

const test = needs('git');
const INSTALL = ['claim', 'install-hook', '--for', 'claude-code', '--dry-run'];
const DOCTOR = ['doctor', '--json', '.'];
const LIST = ['claim', 'list'];

/** A repository with a working tree beside it, and a home. */
const setting = () => {
  const folder = realpathSync(testFolder());
  const main = repository(join(folder, 'main'), 'a.ts');
  const linked = linkedTree(main, join(folder, 'linked'));
  const env = gitEnvironment({ HOME: join(folder, 'home') });
  // Short of the test's own limit: null, and not a code, for one that hangs.
  const run = (cwd: string, words: string[]) => finish(words, { cwd, env, timeout: 10_000 });
  return { folder, main, linked, run };
};

const KINDS: Record<string, (file: string) => void> = {
  'a FIFO': (file) => execFileSync('mkfifo', [file]),
  'a link to a device without end': (file) => symlinkSync('/dev/zero', file),
};

function replace(file: string, put: (file: string) => void): void {
  mkdirSync(dirname(file), { recursive: true });
  rmSync(file, { force: true });
  put(file);
}

const PLACES: [file: string, cwd: string][] = [
  ['main/.git/worktrees/linked/gitdir', 'main'],
  ['main/.git/config', 'main'],
  ['linked/.git', 'main'],
  ['main/.claude/settings.local.json', 'main'],
  ['linked/.claude/settings.local.json', 'main'],
  ['main/.git/worktrees/linked/commondir', 'linked'],
  ['linked/.git', 'linked'],
];

describe.each(Object.entries(KINDS))('the command ends where there is %s', (_, put) => {
  for (const [file, cwd] of PLACES) {
    test(`as ${file}, for doctor and list in ${cwd}`, async () => {
      const { folder, run } = setting();
      replace(join(folder, file), put);
      const here = join(folder, cwd);
      const [doctor, list] = await Promise.all([run(here, DOCTOR), run(here, LIST)]);
      expect(doctor).toMatchObject({ code: 0, signal: null });
      expect(list.signal).toBeNull();
    });
  }

  test('as the settings to change, and it says so', async () => {
    const { main, run } = setting();
    replace(join(main, '.claude/settings.local.json'), put);
    const { code, stderr } = await run(main, INSTALL);
    expect(code).toBe(73);
    expect(stderr).toContain('settings.local.json cannot be read');
  });

  test('as the file of a bypass, which is then none', async () => {
    const { main, run } = setting();
    replace(join(main, '.git/holdfast/claims/.holdfast-bypass'), put);
    expect(await run(main, LIST)).toMatchObject({ code: 0, stdout: 'no claims\n', stderr: '' });
  });
});
