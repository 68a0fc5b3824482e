// @module-tag long
import { existsSync, mkdirSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { FileLock } from '../../src/index.js';
import { until } from '../support/census.js';
import { testFolder } from '../support/folder.js';
import { isWaiting } from '../support/kernel.js';
import { oneTo, randomFrom } from '../support/next-id-program.js';
import { git, LOCK, names, repository, wt } from '../support/next-id-worktrees.js';
import type { Program } from '../support/program.js';
import { needs } from '../support/tools.js';

const withGit = needs('git');

/** What `wt list` says: the ids by name. */
async function ids(cwd: string): Promise<Record<string, number | null>> {
  const { code, stdout, stderr } = await wt(cwd, 'list').end();
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const lines = stdout.split('\n').filter((line) => line !== '');
  return Object.fromEntries(
    lines.map((line) => {
      const [, id = '', name = ''] = /^(\d+|-) {2}(\S+)/.exec(line) ?? [];
      return [name, id === '-' ? null : Number(id)];
    }),
  );
}

/** The names of the worktrees that git knows, without the repository itself. */
function known(repo: string): string[] {
  const paths = git(repo, 'worktree', 'list', '--porcelain').match(/^worktree .*$/gm) ?? [];
  return paths.slice(1).map((line) => line.replace(/.*\//, ''));
}

const created = async (cwd: string, name: string): Promise<number> => {
  const { code, stdout, stderr } = await wt(cwd, 'create', name).end();
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return Number.parseInt(stdout, 10);
};

const sorted = (numbers: (number | null)[]): (number | null)[] =>
  numbers.sort((one, other) => Number(one) - Number(other));

async function appearsOrEnds(path: string, program: Program): Promise<void> {
  let ended = false;
  program.exited.then(() => (ended = true));
  await until(() => ended || existsSync(path));
}

describe('thirty worktrees at once', () => {
  withGit('by thirty processes: ids 1 to 30, none twice', { tags: ['long'] }, async () => {
    const { repo, base } = repository();
    const given = await Promise.all(names.map((name) => created(repo, name)));
    expect(sorted([...given])).toEqual(oneTo(30));
    expect(await ids(repo)).toEqual(Object.fromEntries(names.map((name, at) => [name, given[at]])));
    expect(known(repo).sort()).toEqual([...names].sort());
    for (const name of names)
      expect(git(join(base, name), 'branch', '--show-current')).toBe(`${name}\n`);
  });

  withGit(
    'a third of them killed at random and run again: ids 1 to 30, none twice',
    { tags: ['long'] },
    async () => {
      const { repo, base } = repository();
      const random = randomFrom(12);
      const again = await Promise.all(
        names.map(async (name, at) => {
          const program = wt(repo, 'create', name);
          if (at % 3 !== 0) {
            expect(await program.end()).toMatchObject({ code: 0, stderr: '' });
            return null;
          }
          // While they work, every other one while it has the lock itself: at a
          // moment at random, which waits for nothing.
          const own = at % 2 === 0;
          const [sign, span] = own ? [`.wt/${name}.new`, 25] : ['.wt', 1500];
          const delay = random() * span;
          await appearsOrEnds(join(base, sign), program);
          const timer = setTimeout(() => program.process.kill('SIGKILL'), delay);
          const { code } = await program.exited;
          clearTimeout(timer);
          return code === 0 ? null : name;
        }),
      );
      const killed = again.filter((name) => name !== null);
      expect(killed.length).toBeGreaterThan(0);
      const finished = await ids(repo);
      await Promise.all(
        killed.map(async (name) => {
          const { code, stderr } = await wt(repo, 'create', name).end();
          // It may have been killed when all of it was done.
          const wasDone = typeof finished[name] === 'number';
          expect({ name, code, stderr: wasDone ? '' : stderr }).toEqual({
            name,
            code: wasDone ? 1 : 0,
            stderr: '',
          });
        }),
      );
      const all = await ids(repo);
      expect(sorted(Object.values(all))).toEqual(oneTo(30));
      for (const [name, id] of Object.entries(finished))
        if (id !== null) expect(all[name]).toBe(id);
      expect(known(repo).sort()).toEqual([...names].sort());
    },
  );
});

describe('wt', () => {
  withGit('create says the id and the path, from any worktree; list has all', async () => {
    const { repo, base } = repository();
    const one = realpathSync(repo).replace(/project$/, 'project.worktrees/one');
    expect(await wt(repo, 'create', 'one').end()).toMatchObject({ code: 0, stdout: `1  ${one}\n` });
    expect(await created(join(base, 'one'), 'two')).toBe(2);
    expect((await wt(join(base, 'two'), 'list').end()).stdout).toBe('1  one\n2  two\n');
    expect(readdirSync(base).sort()).toEqual(['.wt', LOCK, `${LOCK}.last`, 'one', 'two']);
  });

  withGit('list has nothing to say where there is none', async () => {
    const { repo, base } = repository();
    expect(await wt(repo, 'list').end()).toMatchObject({ code: 0, stdout: '' });
    expect(existsSync(base)).toBe(false);
  });

  withGit('ids of removed worktrees never come back, nor with the same name', async () => {
    const { repo, base } = repository();
    for (const [at, name] of ['one', 'two', 'three'].entries()) {
      expect(await created(repo, name)).toBe(at + 1);
    }
    for (const name of ['three', 'two']) git(repo, 'worktree', 'remove', join(base, name));
    expect(await ids(repo)).toEqual({ one: 1 });
    expect(await created(repo, 'three')).toBe(4);
    rmSync(join(base, `${LOCK}.last`));
    expect(await created(repo, 'four')).toBe(5);
    expect(await ids(repo)).toEqual({ one: 1, three: 4, four: 5 });
  });

  withGit('a name that is taken is an error and uses up no id', async () => {
    const { repo, base } = repository();
    expect(await created(repo, 'one')).toBe(1);
    mkdirSync(join(base, 'by-hand'));
    writeFileSync(join(base, 'by-hand', 'precious'), '');
    for (const name of ['one', 'by-hand']) {
      const { code, stdout, stderr } = await wt(repo, 'create', name).end();
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toBe(
        `wt: error: there is a '${name}' already: ${join(realpathSync(base), name)}\n`,
      );
    }
    expect(existsSync(join(base, 'by-hand', 'precious'))).toBe(true);
    expect(await created(repo, 'two')).toBe(2);
  });

  withGit('of ten that want one name one gets it, and no id is used up', async () => {
    const { repo } = repository();
    const ends = await Promise.all(oneTo(10).map(() => wt(repo, 'create', 'same').end()));
    expect(ends.map(({ code }) => code).sort()).toEqual([0, ...Array(9).fill(1)]);
    expect(await created(repo, 'other')).toBe(2);
  });

  withGit('what git refuses is said, leaves nothing, and uses up no id', async () => {
    const { repo, base } = repository();
    // A branch that is in use, and two that cannot be.
    for (const name of ['main', 'a..b', 'a.lock']) {
      const { code, stderr } = await wt(repo, 'create', name).end();
      expect(code).toBe(1);
      expect(stderr).toMatch(/^wt: error: fatal: /);
      expect(existsSync(join(base, name))).toBe(false);
    }
    expect(readdirSync(join(base, '.wt'))).toEqual([]);
    expect(await created(repo, 'one')).toBe(1);
  });

  withGit('a name that is not valid is refused before anything is created', async () => {
    const { repo, base } = repository();
    for (const name of ['', '.', '..', '../x', 'a/b', '-b', '.wt', LOCK]) {
      const { code, stderr } = await wt(repo, 'create', name).end();
      expect({ code, stderr }).toEqual({
        code: 1,
        stderr: `wt: error: '${name}' is not a name for a worktree\n`,
      });
    }
    expect(existsSync(base)).toBe(false);
  });

  withGit('wrong words are 64', async () => {
    const { repo } = repository();
    for (const words of [[], ['create'], ['list', 'x'], ['create', 'a', 'b'], ['remove', 'a']]) {
      expect(await wt(repo, ...words).end()).toMatchObject({ code: 64, stdout: '' });
    }
  });

  withGit('outside a repository git says so', async () => {
    const { code, stderr } = await wt(testFolder(), 'create', 'one').end();
    expect(code).toBe(1);
    expect(stderr).toMatch(/^wt: error: fatal: not a git repository/);
  });

  withGit('waits for the one that creates', async () => {
    const { repo, base } = repository();
    mkdirSync(base);
    const lock = FileLock.acquireSync(join(base, LOCK));
    const program = wt(repo, 'create', 'one');
    await until(() => isWaiting(program.pid));
    lock.releaseSync();
    expect(await program.end()).toMatchObject({ code: 0 });
  });
});

describe('killed half-way', () => {
  /** Whose checkout says that it has begun, and stops until the file `go` is there. */
  function slow(repo: string): { begun: string; go: string } {
    const [begun, go] = [`${repo}.begun`, `${repo}.go`];
    writeFileSync(join(repo, '.gitattributes'), '*.txt filter=slow\n');
    writeFileSync(join(repo, 'file.txt'), 'text\n');
    git(repo, 'add', '.');
    git(repo, 'commit', '--quiet', '--message=second');
    const script = `: >'${begun}'; until [ -e '${go}' ]; do sleep 0.01; done; cat`;
    git(repo, 'config', 'filter.slow.smudge', script);
    return { begun, go };
  }

  withGit('with its git: it has no id, and the same name creates it again', async () => {
    const { repo, base } = repository();
    const { begun, go } = slow(repo);
    const program = wt(repo, 'create', 'one');
    await until(() => existsSync(begun));
    process.kill(-program.pid, 'SIGKILL');
    expect(await program.exited).toMatchObject({ signal: 'SIGKILL' });
    expect(existsSync(join(base, 'one', 'file.txt'))).toBe(false);
    expect((await wt(repo, 'list').end()).stdout).toBe('-  one (not finished)\n');
    writeFileSync(go, '');
    expect(await created(repo, 'two')).toBe(1);
    expect(await created(repo, 'one')).toBe(2);
    expect(await ids(repo)).toEqual({ two: 1, one: 2 });
    expect(git(join(base, 'one'), 'status', '--porcelain')).toBe('');
    expect(known(repo).sort()).toEqual(['one', 'two']);
  });

  withGit('alone: the next one waits for its git, and creates the name again', async () => {
    const { repo, base } = repository();
    const { begun, go } = slow(repo);
    const program = wt(repo, 'create', 'one');
    await until(() => existsSync(begun));
    await program.kill();
    const second = wt(repo, 'create', 'one');
    await until(() => isWaiting(second.pid));
    expect(FileLock.tryAcquire(join(base, LOCK))).toBe(null);
    writeFileSync(go, '');
    expect(await second.end()).toMatchObject({ code: 0, stderr: '' });
    expect(await ids(repo)).toEqual({ one: 1 });
    expect(git(join(base, 'one'), 'status', '--porcelain')).toBe('');
  });
});
