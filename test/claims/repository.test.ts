import {
  existsSync,
  mkdirSync,
  realpathSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  defaultFolder,
  findRepository,
  mainFolder,
  ownerOfDefault,
  type Repository,
} from '../../src/claims/repository.js';
import { testFolder } from '../support/folder.js';
import { addSubmodule, git, linkedTree, repository, write } from '../support/git.js';
import { needs } from '../support/tools.js';

const withGit = needs('git');
const found = (folder: string): Repository => findRepository(folder) as Repository;
const claimsOf = (folder: string): string => defaultFolder(found(folder));
const base = (): string => realpathSync(testFolder());

describe('the repository of a folder', () => {
  withGit('is found from its working trees, inside and beside, and subfolders', () => {
    const root = repository(join(base(), 'repo'), 'src/a.ts');
    const claims = join(root, '.git/holdfast/claims');
    const trees = [
      root,
      linkedTree(root, join(root, '.claude/worktrees/w')),
      linkedTree(root, join(dirname(root), 'beside')),
    ];
    for (const tree of trees) {
      for (const folder of [tree, join(tree, 'src')]) {
        expect(found(folder)).toMatchObject({ top: tree, isBare: false });
        expect(claimsOf(folder)).toBe(claims);
        expect(mainFolder(found(folder))).toBe(root);
      }
    }
    // What is in `.git` is the tree's.
    expect(found(join(root, '.git/hooks'))).toMatchObject({ top: root });
    expect(found(join(root, '.git/worktrees/w'))).toMatchObject({ top: root });
    expect(ownerOfDefault(claims)).toMatchObject({ top: root, isBare: false });
    expect(ownerOfDefault(join(root, 'holdfast/claims'))).toBeNull();
  });

  withGit('is not what the variables of git say', () => {
    const folder = base();
    const [one, two] = [repository(join(folder, 'one')), repository(join(folder, 'two'))];
    const before = { ...process.env };
    Object.assign(process.env, { GIT_DIR: join(two, '.git'), GIT_WORK_TREE: two });
    try {
      expect(found(one).top).toBe(one);
    } finally {
      process.env = before;
    }
  });

  withGit('of a submodule has one folder in all working trees of the superproject', () => {
    const folder = base();
    const inner = repository(join(folder, 'inner'), 'i.ts');
    const sub = repository(join(folder, 'sub'), 'x.ts');
    addSubmodule(sub, inner, 'deep/inner');
    const root = repository(join(folder, 'super'), 'a.ts');
    const path = addSubmodule(root, sub, 'libs/sub');
    git(root, 'submodule', '--quiet', 'update', '--init', '--recursive');
    const claims = join(root, '.git/holdfast/modules/libs/sub/claims');
    const nested = join(root, '.git/holdfast/modules/libs/sub/modules/deep/inner/claims');
    expect(claimsOf(path)).toBe(claims);
    expect(claimsOf(join(path, 'deep/inner'))).toBe(nested);
    const tree = linkedTree(root, join(folder, 'tree'));
    git(tree, 'submodule', '--quiet', 'update', '--init', '--recursive');
    expect(found(join(tree, 'libs/sub')).common).toContain('worktrees');
    expect(claimsOf(join(tree, 'libs/sub'))).toBe(claims);
    expect(claimsOf(join(tree, 'libs/sub/deep/inner'))).toBe(nested);
    // A working tree of the submodule, and of the one in the linked tree.
    const own = linkedTree(path, join(folder, 'own'));
    expect(claimsOf(own)).toBe(claims);
    expect(claimsOf(linkedTree(join(tree, 'libs/sub'), join(folder, 'other')))).toBe(claims);
    git(own, 'submodule', '--quiet', 'update', '--init');
    expect(claimsOf(join(own, 'deep/inner'))).toBe(nested);
    for (const each of [path, own, tree, join(tree, 'libs/sub')]) {
      expect(mainFolder(found(each))).toBe(root);
    }
    expect(ownerOfDefault(claims)).toMatchObject({ top: path });
  });

  withGit('of a submodule that only a linked tree has stays out of git’s way', () => {
    const folder = base();
    const sub = repository(join(folder, 'sub'), 'x.ts');
    const origin = repository(join(folder, 'origin'), 'a.ts');
    addSubmodule(origin, sub, 'sub');
    git(folder, 'clone', '-q', origin, 'super');
    const root = join(folder, 'super');
    const tree = linkedTree(root, join(folder, 'tree'));
    git(tree, 'submodule', '--quiet', 'update', '--init');
    const claims = claimsOf(join(tree, 'sub'));
    mkdirSync(claims, { recursive: true });
    git(root, 'submodule', '--quiet', 'update', '--init');
    expect(existsSync(join(root, 'sub/x.ts'))).toBe(true);
    expect(claimsOf(join(root, 'sub'))).toBe(claims);
    git(root, 'gc', '-q', '--prune=now');
    git(root, 'worktree', 'remove', '--force', tree);
    expect(existsSync(claims)).toBe(true);
  });

  withGit('may be bare, with working trees', () => {
    const folder = base();
    const origin = repository(join(folder, 'origin'), 'a.ts');
    git(folder, 'clone', '-q', '--bare', origin, 'bare.git');
    const bare = join(folder, 'bare.git');
    const tree = linkedTree(bare, join(folder, 'tree'));
    const claims = join(bare, 'holdfast/claims');
    for (const each of [bare, join(bare, 'refs/heads'), tree]) {
      expect(claimsOf(each)).toBe(claims);
      expect(mainFolder(found(each))).toBe(folder);
    }
    expect(found(bare)).toMatchObject({ isBare: true, top: bare });
    expect(found(tree)).toMatchObject({ isBare: false, top: tree });
    expect(ownerOfDefault(claims)).toMatchObject({ isBare: true });
  });

  withGit('may keep its data elsewhere, by a file or by a link', () => {
    const folder = base();
    git(folder, 'init', '-q', '--separate-git-dir', join(folder, 'data'), 'repo');
    expect(claimsOf(join(folder, 'repo'))).toBe(join(folder, 'data/holdfast/claims'));
    expect(mainFolder(found(join(folder, 'repo')))).toBe(join(folder, 'repo'));
    const linked = join(folder, 'linked');
    mkdirSync(linked);
    symlinkSync('../data', join(linked, '.git'));
    expect(claimsOf(linked)).toBe(join(folder, 'data/holdfast/claims'));
  });

  withGit(
    'is the same after a working tree was renamed, and an error after the main one was',
    () => {
      const folder = base();
      const root = repository(join(folder, 'repo'), 'a.ts');
      const tree = linkedTree(root, join(folder, 'tree'));
      renameSync(tree, join(folder, 'renamed'));
      expect(claimsOf(join(folder, 'renamed'))).toBe(join(root, '.git/holdfast/claims'));
      renameSync(root, join(folder, 'moved'));
      expect(() => found(join(folder, 'renamed'))).toThrow(
        expect.objectContaining({ code: 'ENOENT', message: expect.stringContaining('repair') }),
      );
    },
  );

  test('is not made by an empty `.git`, and there may be none', () => {
    const folder = base();
    expect(findRepository(folder)).toBeNull();
    mkdirSync(join(folder, '.git'));
    mkdirSync(join(folder, 'a'));
    writeFileSync(join(folder, 'a/.git'), 'something else\n');
    expect(findRepository(join(folder, 'a'))).toBeNull();
    write(folder, 'HEAD');
    expect(findRepository(folder)).toBeNull();
  });
});
