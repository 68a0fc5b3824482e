import { existsSync, mkdirSync, realpathSync, renameSync, symlinkSync, utimesSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect } from 'vitest';
import { Claims, type PathVerdict } from '../../src/claims.js';
import { conflictOf } from '../support/claims-setting.js';
import { testFolder } from '../support/folder.js';
import { addSubmodule, git, linkedTree, repository } from '../support/git.js';
import { errorOf } from '../support/refused.js';
import { needs } from '../support/tools.js';

const withGit = needs('git');
const words = (verdicts: PathVerdict[]): string[] =>
  verdicts.map(({ path, verdict }) => `${path} ${verdict}`);

/** A repository with working trees inside and beside it, and its claims from each. */
function setUp() {
  const folder = realpathSync(testFolder());
  const root = repository(join(folder, 'repo'), 'src/a.ts', 'src/lib/b.ts');
  const inside = linkedTree(root, join(root, '.claude/worktrees/w'));
  const beside = linkedTree(root, join(folder, 'beside'));
  const of = (top: string): Claims => new Claims(undefined, { root: top });
  return { folder, root, inside, beside, of };
}

describe('a path in a linked working tree', () => {
  withGit('that a hook claimed stays claimed where the tree is moved to', async () => {
    const { folder, root, beside, of } = setUp();
    const hook = { files: ['src/a.ts'], by: 'hook' as const, extend: true };
    await of(beside).claim({ ...hook, agent: 'one' });
    const moved = join(folder, 'moved');
    git(root, 'worktree', 'move', beside, moved);
    const [status] = await of(root).list();
    expect(status?.parts).toMatchObject([{ tree: moved, files: ['src/a.ts'] }]);
    expect(words(await of(moved).check(['src/a.ts']))).toEqual(['src/a.ts other']);
    await conflictOf(of(moved).claim({ ...hook, agent: 'two' }));
    // Touched there, it is one part, and elsewhere it is nobody's.
    await of(moved).claim({ ...hook, agent: 'one' });
    expect((await of(root).list())[0]?.parts).toHaveLength(1);
    await of(root).claim({ ...hook, agent: 'two' });
    const next = linkedTree(root, beside);
    expect(words(await of(next).check(['src/a.ts']))).toEqual(['src/a.ts unclaimed']);
  });

  withGit('that a hook claimed is not of another tree in the place of a removed one', async () => {
    const { folder, root, beside, of } = setUp();
    const hook = { files: ['src/a.ts'], by: 'hook' as const, extend: true };
    await of(beside).claim({ ...hook, agent: 'one' });
    const moved = join(folder, 'moved');
    git(root, 'worktree', 'move', beside, moved);
    const next = linkedTree(root, beside);
    await of(next).claim({ ...hook, agent: 'two' });
    git(root, 'worktree', 'remove', '--force', moved);
    expect(await of(root).list()).toMatchObject([{ state: 'active' }, { state: 'active' }]);
    await of(next).claim({ ...hook, agent: 'two' });
    // A repository that was moved knows its trees under the same names.
    const elsewhere = join(folder, 'elsewhere');
    renameSync(root, elsewhere);
    git(elsewhere, 'worktree', 'repair', next);
    expect(words(await of(next).check(['src/a.ts'], { as: 'two' }))).toEqual(['src/a.ts mine']);
  });

  withGit('that a hook claimed is not of another tree with the name of a removed one', async () => {
    const { folder, root, beside, of } = setUp();
    const hook = { files: ['src/a.ts'], by: 'hook' as const, extend: true };
    const gitDir = join(root, '.git/worktrees/beside');
    const added = (time: number): void => utimesSync(join(gitDir, 'commondir'), time, time);
    added(1_000_000_000);
    await of(beside).claim({ ...hook, agent: 'one' });
    const again = { free: ['src/a.ts unclaimed'], held: ['src/a.ts other'] };
    // At its place, and elsewhere.
    for (const [at, place] of [beside, join(folder, 'other/beside')].entries()) {
      expect(words(await of(beside).check(['src/a.ts']))).toEqual(
        at === 0 ? again.held : again.free,
      );
      git(root, 'worktree', 'remove', '--force', beside);
      expect(existsSync(gitDir)).toBe(false);
      expect(linkedTree(root, place)).toBe(place);
      expect(words(await of(place).check(['src/a.ts']))).toEqual(again.free);
      if (at === 0) continue;
      await of(place).claim({ ...hook, agent: 'two' });
      // The old part stays as it is, and in no tree, when its agent comes back.
      await conflictOf(of(place).claim({ ...hook, agent: 'one' }));
    }
    const moved = join(folder, 'moved');
    git(root, 'worktree', 'move', join(folder, 'other/beside'), moved);
    expect(words(await of(moved).check(['src/a.ts']))).toEqual(again.held);
  });

  withGit('is the same file as in the main one, inside and beside', async () => {
    const { root, inside, beside, of } = setUp();
    const claim = await of(root).claim({ agent: 'one', files: ['src/a.ts'] });
    for (const tree of [root, inside, beside]) {
      const claims = of(tree);
      const paths = [
        'src/a.ts',
        join(root, 'src/a.ts'),
        join(inside, 'src/a.ts'),
        join(beside, 'src/../src/a.ts'),
      ];
      expect(words(await claims.check(paths))).toEqual(Array(4).fill('src/a.ts other'));
      for (const path of paths) {
        expect(claim.covers(path)).toBe(true);
        await conflictOf(claims.claim({ agent: 'two', files: [path] }));
      }
      await conflictOf(claims.claim({ agent: 'two', files: [join(beside, 'src/*.ts')] }));
    }
    const made = await of(root).claim({ agent: 'two', files: [join(inside, 'src/lib/b.ts')] });
    expect(made.files).toEqual(['src/lib/b.ts']);
    expect(made.covers(join(beside, 'src/lib/b.ts'))).toBe(true);
    await of(root).releaseAll();
  });

  withGit('is outside only where the claims are not about it', async () => {
    const { folder, root, of } = setUp();
    const other = repository(join(folder, 'other'), 'x.ts');
    const claims = of(root);
    await claims.claim({ agent: 'one', directories: ['.'] });
    const paths = ['../repo/src/a.ts', '../other/x.ts', join(other, 'x.ts'), '/etc/passwd', '..'];
    expect(words(await claims.check(paths, { as: 'one' }))).toEqual([
      'src/a.ts mine',
      `../other/x.ts outside`,
      `${join(other, 'x.ts')} outside`,
      '/etc/passwd outside',
      '.. outside',
    ]);
    for (const path of paths.slice(1)) {
      expect(await errorOf(() => claims.claim({ agent: 'two', files: [path] }))).toMatchObject({
        code: 'ERR_INVALID_ARG_VALUE',
      });
    }
    await claims.releaseAll();
  });

  withGit('means the same with a folder and a root that were given', async () => {
    const { folder, root, inside, beside } = setUp();
    const locks = join(folder, 'locks');
    const whole = new Claims(locks, { root });
    await whole.claim({ agent: 'one', files: ['src/lib/b.ts'] });
    const lib = new Claims(locks, { root: join(root, 'src/lib') });
    for (const tree of [root, inside, beside]) {
      expect(words(await whole.check([join(tree, 'src/lib/b.ts')]))).toEqual([
        'src/lib/b.ts other',
      ]);
      expect(words(await lib.check([join(tree, 'src/lib/c.ts'), join(tree, 'src/a.ts')]))).toEqual([
        'c.ts unclaimed',
        `${join(tree, 'src/a.ts')} outside`,
      ]);
    }
    await whole.releaseAll();
  });

  withGit('stays the same when the tree is renamed', async () => {
    const { folder, root, beside, of } = setUp();
    await of(root).claim({ agent: 'one', files: ['src/a.ts'] });
    const renamed = join(folder, 'renamed');
    renameSync(beside, renamed);
    expect(words(await of(root).check([join(renamed, 'src/a.ts')]))).toEqual(['src/a.ts other']);
    await of(root).releaseAll();
  });

  withGit('of a bare repository as well; the bare one has no files', async () => {
    const { folder, root, of } = setUp();
    git(folder, 'clone', '-q', '--bare', root, 'bare.git');
    const bare = join(folder, 'bare.git');
    const [one, two] = ['one', 'two'].map((name) => linkedTree(bare, join(folder, name)));
    await of(one as string).claim({ agent: 'one', files: ['src/a.ts'] });
    const paths = [join(two as string, 'src/a.ts'), join(bare, 'config'), 'HEAD'];
    expect(words(await of(bare).check(paths))).toEqual([
      'src/a.ts other',
      `${join(bare, 'config')} outside`,
      'HEAD outside',
    ]);
    await of(bare).releaseAll();
  });
});

describe('a path in a submodule', () => {
  function withSubmodule() {
    const setting = setUp();
    const { folder, root, beside, of } = setting;
    const path = addSubmodule(root, repository(join(folder, 'sub'), 'x.ts'), 'libs/sub');
    git(beside, 'checkout', '-q', '--detach', git(root, 'rev-parse', 'HEAD').trim());
    git(beside, 'submodule', '--quiet', 'update', '--init');
    return { ...setting, path, sub: of(path), inTree: join(beside, 'libs/sub') };
  }

  withGit('is the submodule’s, in a linked tree of the superproject too', async () => {
    const { root, sub, path, inTree, of } = withSubmodule();
    await sub.claim({ agent: 'one', files: ['x.ts'] });
    const paths = [join(path, 'x.ts'), join(inTree, 'x.ts')];
    for (const claims of [sub, of(inTree)]) {
      expect(words(await claims.check(paths))).toEqual(['x.ts other', 'x.ts other']);
    }
    expect(words(await of(root).check(paths))).toEqual(paths.map((each) => `${each} outside`));
    await sub.releaseAll();
  });

  withGit('is below the root for a folder that was given', async () => {
    const { folder, root, path, inTree } = withSubmodule();
    const claims = new Claims(join(folder, 'locks'), { root });
    await claims.claim({ agent: 'one', files: ['libs/sub/x.ts'] });
    expect(words(await claims.check([join(path, 'x.ts'), join(inTree, 'x.ts')]))).toEqual([
      'libs/sub/x.ts other',
      'libs/sub/x.ts other',
    ]);
    await claims.releaseAll();
  });

  withGit('keeps its root where its default folder is given by name', async () => {
    const { root, sub, of } = withSubmodule();
    expect(new Claims(sub.directory)).toMatchObject({ root: sub.root });
    expect(new Claims(of(root).directory)).toMatchObject({ root });
  });
});

describe('a symbolic link', () => {
  withGit('does not give a file two names', async () => {
    const { root, beside, of } = setUp();
    symlinkSync('src/lib', join(root, 'link'));
    symlinkSync('new.ts', join(root, 'src/dangling.ts'));
    symlinkSync(join(beside, 'src'), join(root, 'away'));
    symlinkSync('/etc', join(root, 'etc'));
    symlinkSync('loop', join(root, 'loop'));
    const claims = of(root);
    const claim = await claims.claim({
      agent: 'one',
      files: ['link/b.ts', 'link/n*.ts', 'loop/x'],
    });
    expect(claim.files).toEqual(['src/lib/b.ts', 'src/lib/n*.ts', 'loop/x']);
    await claims.claim({ agent: 'two', files: ['src/dangling.ts'] });
    const paths = [
      'src/lib/b.ts',
      'link/b.ts',
      'link/new.ts',
      'link/../a.ts',
      'away/lib/b.ts',
      'src/new.ts',
      'etc/passwd',
    ];
    expect(words(await claims.check(paths))).toEqual([
      'src/lib/b.ts other',
      'src/lib/b.ts other',
      'src/lib/new.ts other',
      'src/a.ts unclaimed',
      'src/lib/b.ts other',
      'src/new.ts other',
      'etc/passwd outside',
    ]);
    await claims.releaseAll();
  });

  withGit('may lead to the root', async () => {
    const { folder, root, of } = setUp();
    symlinkSync(root, join(folder, 'alias'));
    mkdirSync(join(folder, 'x'));
    const claims = new Claims(join(folder, 'locks'), { root: join(folder, 'alias') });
    await claims.claim({ agent: 'one', files: [join(root, 'src/a.ts')] });
    expect(words(await claims.check([join(folder, 'alias/src/a.ts'), 'src/a.ts']))).toEqual([
      'src/a.ts other',
      'src/a.ts other',
    ]);
    expect(of(join(folder, 'alias')).directory).toBe(of(root).directory);
    expect(dirname(dirname(of(root).directory))).toBe(join(root, '.git'));
    await claims.releaseAll();
  });
});
