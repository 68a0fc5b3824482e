import { mkdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { otherWorkingTrees } from '../../src/claims/working-trees.js';
import { testFolder } from '../support/folder.js';
import { addSubmodule, git, linkedTree, repository } from '../support/git.js';
import { needs } from '../support/tools.js';

const test = needs('git');

describe('the other working trees', () => {
  const place = () => realpathSync(testFolder());

  test('of the main one, of a linked one, and of a folder below', () => {
    const folder = place();
    const main = repository(join(folder, 'main'), 'lib/a.ts');
    const [one, two] = ['one', 'two'].map((name) => linkedTree(main, join(folder, name)));
    expect(otherWorkingTrees(main)).toEqual([one, two]);
    expect(otherWorkingTrees(join(one as string, 'lib'))).toEqual([main, two]);
    rmSync(two as string, { recursive: true });
    expect(otherWorkingTrees(main)).toEqual([one]);
  });

  test('of a bare repository there is no main one', () => {
    const folder = place();
    const main = repository(join(folder, 'main'), 'a.ts');
    const bare = join(folder, 'bare.git');
    git(folder, 'clone', '-q', '--bare', main, bare);
    const [one, two] = ['one', 'two'].map((name) => linkedTree(bare, join(folder, name)));
    expect(otherWorkingTrees(one as string)).toEqual([two]);
  });

  test('of a submodule are not those of its superproject', () => {
    const folder = place();
    const library = repository(join(folder, 'library'), 'a.ts', 'lib/b.ts');
    const main = repository(join(folder, 'main'), 'a.ts');
    const submodule = addSubmodule(main, library, 'vendor');
    const linked = linkedTree(submodule, join(folder, 'linked'));
    linkedTree(main, join(folder, 'other'));
    expect(otherWorkingTrees(submodule)).toEqual([linked]);
    expect(otherWorkingTrees(linked)).toEqual([submodule]);
  });

  test('entries that lead to no working tree of this repository do not count', () => {
    const folder = place();
    const main = repository(join(folder, 'main'), 'a.ts');
    const one = linkedTree(main, join(folder, 'one'));
    const odd = (name: string, text: string): void => {
      mkdirSync(join(main, '.git', 'worktrees', name));
      writeFileSync(join(main, '.git', 'worktrees', name, 'gitdir'), text);
    };
    mkdirSync(join(folder, 'no-git'));
    const other = repository(join(folder, 'other'), 'a.ts');
    mkdirSync(join(folder, 'broken'));
    writeFileSync(join(folder, 'broken', '.git'), 'gitdir: /nowhere/at/all\n');
    odd('empty', '');
    odd('bytes', '\0\xff/.git\n');
    odd('removed', `${join(folder, 'no-git', '.git')}\n`);
    odd('replaced', `${join(other, '.git')}\n`);
    odd('broken', `${join(folder, 'broken', '.git')}\n`);
    mkdirSync(join(main, '.git', 'worktrees', 'folder', 'gitdir'), { recursive: true });
    expect(otherWorkingTrees(main)).toEqual([one]);
  });

  test('outside of a repository there are none', () => {
    expect(otherWorkingTrees(place())).toEqual([]);
  });
});
