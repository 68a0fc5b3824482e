import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { COMMAND, finish } from '../support/command.js';
import { testFolder } from '../support/folder.js';
import { addSubmodule, gitEnvironment, linkedTree, repository } from '../support/git.js';
import { needs } from '../support/tools.js';

const withGit = needs('git');

/** `m.ts` is a file of the repository, and another one of its submodule. */
function setUp() {
  const folder = realpathSync(testFolder());
  const root = repository(join(folder, 'repo'), 'm.ts');
  const sub = addSubmodule(root, repository(join(folder, 'sub'), 'm.ts'), 'sub');
  return { folder, root, sub };
}

async function claim(cwd: string, words: string[], env: NodeJS.ProcessEnv = {}) {
  const { code, stdout, stderr } = await finish(['claim', ...words], {
    cwd,
    env: gitEnvironment(env),
  });
  return { code, stdout, stderr };
}

describe('HOLDFAST_CLAIMS of what claim run runs', () => {
  const print = ['--', 'sh', '-c', 'echo "$HOLDFAST_AGENT:$HOLDFAST_CLAIMS:$HOLDFAST_CLAIMS"'];

  withGit('is unset for a default folder: a submodule has its own', async () => {
    const { root } = setUp();
    const script = `cd sub && "${process.execPath}" "${COMMAND}" claim add m.ts && "${process.execPath}" "${COMMAND}" claim check m.ts ../m.ts --json --agent other`;
    const ran = await claim(root, [
      'run',
      'x.ts',
      '--agent',
      'one',
      '--',
      'sh',
      '-c',
      `echo "$\{HOLDFAST_CLAIMS-unset}"; ${script}`,
    ]);
    expect(ran.stdout).toMatch(/^unset\n/);
    const verdicts = JSON.parse(ran.stdout.slice(ran.stdout.indexOf('[')));
    expect(verdicts).toMatchObject([
      { path: join(root, 'sub/m.ts'), verdict: 'other', owner: { agent: 'one' } },
      { path: join(root, 'm.ts'), verdict: 'unclaimed' },
    ]);
  });

  withGit('is the folder that was given, absolute', async () => {
    const { root } = setUp();
    const folder = join(root, 'out/locks');
    const said = `one:${folder}:${folder}\n`;
    const words = ['run', 'x.ts', '--agent', 'one'];
    expect((await claim(root, [...words, '--dir', 'out/locks', ...print])).stdout).toBe(said);
    const env = { HOLDFAST_CLAIMS: 'out/locks' };
    expect((await claim(join(root, 'sub'), [...words, ...print], env)).stdout).toBe(said);
  });
});

describe('a folder of claims that is given, from a submodule', () => {
  async function filesAfter(cwd: string, directory: string, root: string): Promise<unknown> {
    const words = ['add', 'm.ts', '--agent', 'one', '--dir', directory];
    const { code } = await claim(cwd, words);
    const listed = await claim(root, ['list', '--json', '--dir', directory]);
    return { code, files: JSON.parse(listed.stdout).flatMap((each: { files: [] }) => each.files) };
  }

  withGit('has a path of the submodule below the root', async () => {
    const { root, sub } = setUp();
    const found = await filesAfter(sub, 'out/locks', root);
    expect(found).toEqual({ code: 0, files: ['sub/m.ts'] });
  });

  withGit('never takes it for one of the root, if the folder is the default one', async () => {
    const { root, sub } = setUp();
    const directory = join(root, '.git/holdfast/claims');
    expect(await filesAfter(sub, directory, root)).toEqual({ code: 64, files: [] });
    await claim(root, ['add', 'm.ts', '--agent', 'two']);
    const checked = await claim(sub, ['check', 'm.ts', '../m.ts', '--json', '--dir', directory]);
    expect(JSON.parse(checked.stdout)).toMatchObject([
      { path: 'm.ts', verdict: 'outside' },
      { path: 'm.ts', verdict: 'other' },
    ]);
  });

  withGit('takes words as those of the root elsewhere, and in no linked tree', async () => {
    const { folder, root } = setUp();
    const directory = join(root, '.git/holdfast/claims');
    const beside = linkedTree(root, join(folder, 'beside'));
    expect(await filesAfter(folder, directory, root)).toEqual({ code: 0, files: ['m.ts'] });
    for (const cwd of [folder, beside]) {
      expect((await claim(cwd, ['check', 'm.ts', '--dir', directory])).code).toBe(75);
    }
  });
});
