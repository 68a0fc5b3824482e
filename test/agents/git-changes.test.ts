import { mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { gitChanges } from '../../src/agents/git-changes.js';
import { liftsClaims } from '../../src/agents/lifts-claims.js';
import { shellCommands } from '../../src/agents/shell-commands.js';
import { testFolder } from '../support/folder.js';

function found(line: string, cwd = '/repo') {
  const commands = shellCommands(line, cwd);
  return commands === null ? 'not parsed' : (gitChanges(commands).treeWide[0] ?? null);
}

describe('git commands that change a whole tree', () => {
  test.each([
    'git stash',
    'git stash -u',
    'git stash push -m "work in progress"',
    'git stash pop',
    'git reset --hard',
    'git reset --hard HEAD~1',
    'git checkout .',
    'git checkout -- .',
    'git checkout HEAD -- .',
    'git checkout main',
    'git checkout -b topic main',
    'git checkout -f -b topic',
    'git checkout -f',
    'git restore .',
    'git restore --staged --worktree :/',
    'git clean -fdx',
    'git clean -fd -e "*.log"',
    'git switch main',
    'git switch -c topic main',
    'git switch --discard-changes -c topic',
    'git rebase main',
    'git rebase --abort',
    'git pull --rebase',
    '/usr/bin/git stash',
    '\'git\' "stash"',
    'g\\it stash',
    'git -c core.x=y --no-pager stash',
    'npm test && git stash',
    'false || { git stash; }',
    '(cd sub; git stash)',
    'if true; then git stash; fi',
    'for f in a b; do git reset --hard; done',
    'echo $(git stash)',
    'echo "`git stash`"',
    'cat <(git stash)',
    "sh -c 'git stash'",
    "bash -lc 'cd sub && git reset --hard'",
    'sudo -u me env A=b git stash',
    'timeout 5 git clean -f',
    'nohup git stash &',
    'echo stash | xargs git stash',
    "eval 'git stash'",
    'A=b git stash',
    'git stash | cat',
    'git\\\n stash',
    'git checkout -',
    'git checkout main --',
    'git checkout -- "*.ts"',
    'git checkout -- ":(glob)src"',
    'git stash push "*.ts"',
    'git restore "*"',
    'git restore $PWD',
    'git restore "$PWD/"',
    'git restore $(git rev-parse --show-toplevel)',
    'git restore ~/repo',
    'git restore src/..',
    'git restore /repo',
    'git checkout -- /repo',
    'git checkout HEAD -- /',
    'git clean -fdx src/..',
    'git restore --pathspec-from-file=list',
    'git read-tree -u --reset HEAD',
    'git read-tree -mu HEAD',
    'git checkout-index -af',
    'git checkout-index --all --force',
    'git rm -rf .',
    'bash <<E\ngit stash\nE',
    "sudo sh -s <<'E'\n cd src\n git stash\nE",
    "bash <<< 'git stash'",
    "sh -c '(' ; git stash",
    'nice -n 5 git stash',
    '\\time -f %e git stash',
    'timeout --signal KILL 5 git stash',
    'exec -a x git stash',
    'xargs -n 1 git stash',
    'flock /tmp/lock git stash',
    "flock /tmp/lock -c 'git stash'",
    "su me -c 'git stash'",
    "env -S 'git stash'",
    "script -qc 'git stash' /dev/null",
    'busybox sh -c "git stash"',
    'bash -c -- "git stash"',
    "trap 'git stash' EXIT",
    'find . -name x -exec git checkout . \\;',
    'echo "git stash" | sh',
    "printf 'cd src\\ngit stash\\n' | sudo bash -s",
    'cat <<E | bash\ngit stash\nE',
    'git ls-files -m | xargs git checkout --',
    'git ls-files -m | xargs -n1 git restore',
    'find . -name x -exec git restore {} +',
    'git ls-files | xargs -I % git restore %',
    'git ls-files | xargs -0IFILE git checkout HEAD -- ./FILE',
    'git ls-files | xargs --replace=% sh -c "git restore %"',
    'git ls-files | xargs -i git restore {}',
    'env - git stash',
    "env --split-string='git stash'",
    "su me --command='git stash'",
    "watch -n 1 'git stash'",
    'watch git stash',
    "trap -- 'git stash' EXIT",
    'git --attr-source HEAD stash',
    'bash -s x <<< "git stash"',
    'bash -o errexit <<< "git stash"',
    'echo "git stash" | bash /dev/stdin',
  ])('%s', (line) => {
    expect(found(line)).toMatchObject({ command: expect.stringMatching(/^git /) });
  });

  test.each([
    'git status',
    'git stash list',
    'git stash show -p',
    'git stash push -- src/a.ts',
    'git stash push -m text src/a.ts',
    'git stash -m text -- src/a.ts',
    'git reset',
    'git reset HEAD a.ts',
    'git checkout -- a.ts',
    'git checkout HEAD -- src/a.ts',
    'git restore a.ts',
    'git restore --staged .',
    'git clean -n',
    'git clean -fd build/',
    'git commit -m "git stash"',
    'git log --grep "reset --hard"',
    'echo git stash',
    'grep -r "git stash" .',
    '# git stash',
    "cat <<'EOF'\ngit stash\nEOF",
    'git read-tree HEAD',
    'git checkout-index -a',
    'git checkout-index -af --prefix=out/',
    'git rm --cached -r .',
    'git rm -r src',
    'git reset --pathspec-from-file=list',
    'bash <<E\necho git stash\nE',
    'git switch --help',
    'git rebase --quit',
    'git pull',
    'digit stash',
    'xargs grep git stash',
    'sudo -u me grep git stash',
    'timeout 5 rg git clean',
    'command -v git stash',
    'find . -name git -exec grep stash {} +',
    'echo "git stash" | cat',
    'git ls-files | xargs git restore --staged',
    'git mv a.ts b.ts',
    'git checkout -b topic',
    'git checkout -q -b topic',
    'git switch -c topic',
    'git switch --create topic',
    'git worktree remove ../done',
    'echo "git stash" | bash x.sh',
    'bash -x x.sh <<E\ngit stash\nE',
    'git ls-files | xargs -I % git log %',
    'git',
    '',
  ])('not: %s', (line) => {
    expect(found(line)).toBeNull();
  });

  test('a name is another branch unless there is such a file', () => {
    const folder = testFolder();
    writeFileSync(join(folder, 'a.ts'), '');
    expect(found('git checkout a.ts', folder)).toBeNull();
    expect(found('git checkout b', folder)).not.toBeNull();
  });

  test('paths are compared with the top of the working tree', () => {
    const top = join(realpathSync(testFolder()), 'repo');
    for (const each of ['.git/objects', '.git/refs', 'src/gen', 'app/[slug]']) {
      mkdirSync(join(top, each), { recursive: true });
    }
    writeFileSync(join(top, '.git', 'HEAD'), 'ref: refs/heads/main\n');
    writeFileSync(join(top, 'src', 'a.ts'), '');
    const src = join(top, 'src');
    for (const path of ['..', '../', '../src/..', top, join(top, '..'), ':/', '$PWD/..']) {
      expect(found(`git restore ${path}`, src)).not.toBeNull();
    }
    const named = (line: string) => gitChanges(shellCommands(line, src) ?? []).named[0]?.paths;
    expect(named('git restore .')).toEqual([`${src}/`]);
    expect(named('git clean -fd')).toEqual([`${src}/`]);
    expect(named('git restore a.ts gen')).toEqual([join(src, 'a.ts'), `${src}/gen/`]);
    expect(named('git checkout HEAD a.ts')).toEqual([join(src, 'a.ts')]);
    expect(named('git checkout main -- a.ts')).toEqual([join(src, 'a.ts')]);
    expect(named('git stash push -m text $PWD/a.ts')).toEqual([join(src, 'a.ts')]);
    expect(named('git mv a.ts b.ts')).toEqual([
      join(src, 'a.ts'),
      join(src, 'b.ts'),
      `${src}/b.ts/`,
    ]);
    const into = join(src, 'gen', 'a.ts');
    expect(named('git mv -f a.ts gen')).toEqual([join(src, 'a.ts'), into, `${into}/`]);
    expect(named('git mv -n a.ts gen')).toBeUndefined();
    expect(named('git rm gone')).toEqual([join(src, 'gone'), `${src}/gone/`]);
    expect(named("git restore '../app/[slug]'")).toEqual([`${top}/app/[slug]/`]);
    expect(named('git restore --staged a.ts')).toBeUndefined();
    mkdirSync(join(top, '../w'));
    expect(named('git worktree remove --force ../../w')).toEqual([`${join(top, '../w')}/`]);
  });

  test('it says in which folder it runs', () => {
    expect(found('cd sub && git stash')).toMatchObject({ cwd: '/repo/sub' });
    expect(found('git -C ../other stash')).toMatchObject({ cwd: '/other' });
    expect(found('(cd sub); git stash')).toMatchObject({ cwd: '/repo' });
    expect(found('pushd sub; popd; git stash')).toMatchObject({ cwd: '/repo' });
    expect(found('cd sub; cd - && git stash')).toMatchObject({ cwd: '/repo' });
    // These `cd`s run in shells of their own, or later.
    for (const line of ['cd sub | cat', 'true | cd sub', 'cd sub &', 'f() { cd sub; }']) {
      expect(found(`${line}\ngit stash`)).toMatchObject({ cwd: '/repo' });
    }
    // One that is computed is taken for the same one.
    expect(found('cd "$(pwd)" && git stash')).toMatchObject({ cwd: '/repo' });
  });

  test.each(['git stash (', 'git stash "', 'if git stash'])(
    'what a shell could not parse passes: %s',
    (line) => {
      expect(found(line)).toBe('not parsed');
    },
  );

  test('a deep nest ends', () => {
    let line = 'git stash';
    for (let depth = 0; depth < 20; depth++) line = `sh -c ${JSON.stringify(line)}`;
    expect(() => found(line)).not.toThrow();
    expect(() => found('('.repeat(20_000))).not.toThrow();
  });
});

test.each([
  ['holdfast claim bypass 10m', true],
  ['npx holdfast claim bypass 10m', true],
  ['node node_modules/holdfast/dist/cli/holdfast.js claim bypass 1h', true],
  ["sh -c 'holdfast claim bypass 1h'", true],
  ['holdfast claim list', false],
  ['echo holdfast claim bypass', false],
])('a command that lifts the claims: %s', (line, lifts) => {
  expect(liftsClaims(shellCommands(line, '/repo') ?? [])).toBe(lifts);
});
