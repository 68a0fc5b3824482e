// @module-tag long
import { describe, expect } from 'vitest';
import type { LockMode } from '../../src/index.js';
import { replay } from '../support/replay.js';
import { needs } from '../support/tools.js';

/** Where a program ends; what is not mentioned is the default. */
type Expected = Partial<{ code: number; stdout: string; files: string[] }>;

interface Case {
  /** For sh; `lock` is flock(1) in one run and `holdfast run` in the other. */
  script: string;
  /** How the test itself holds the file `f` meanwhile. */
  hold?: LockMode;
  /** Of both: exit code 0, nothing on stdout, `f` in the folder. */
  end?: Expected;
  /** What flock(1) does otherwise, and why Holdfast does not. */
  flock?: Expected & { because: string };
  root?: true;
}

const REFUSAL = { code: 1, because: 'a refusal is 75, which no command is likely to end with' };
const OPEN = { code: 66, because: 'a file that cannot be opened is 73' };
const FOLDERS = { because: 'missing folders are made' };

function both(cases: Record<string, Case>): void {
  for (const [title, { script, hold, end, flock, root }] of Object.entries(cases)) {
    const tools = root === true ? (['flock', 'root'] as const) : (['flock'] as const);
    const { because, ...theirs } = flock ?? { because: '' };
    const difference = because === '' ? '' : ` (not as flock: ${because})`;
    needs(...tools)(`${title}${difference}`, async () => {
      const expected = { code: 0, stdout: '', files: ['f'], ...end };
      const [model, outcome] = await Promise.all([
        replay('flock', script, hold),
        replay('holdfast', script, hold),
      ]);
      expect(model).toMatchObject({ ...expected, ...theirs });
      expect(outcome).toMatchObject(expected);
      // What goes wrong here is said, and on stderr.
      if ([64, 65, 69, 73, 75].includes(expected.code))
        expect(outcome.stderr).toMatch(/^holdfast: ./);
    });
  }
}

describe('modes', () => {
  const runs = { stdout: 'ran\n' };
  both({
    'alone: exclusive': { script: 'lock f lock -n f true || echo ran', end: runs },
    '-n beside an exclusive holder is refused': {
      hold: 'exclusive',
      script: 'lock -n f echo ran',
      end: { code: 75 },
      flock: REFUSAL,
    },
    '-s -n beside an exclusive holder is refused': {
      hold: 'exclusive',
      script: 'lock -s -n f echo ran',
      end: { code: 75 },
      flock: REFUSAL,
    },
    '-x -n beside a shared holder is refused': {
      hold: 'shared',
      script: 'lock -x -n f echo ran',
      end: { code: 75 },
      flock: REFUSAL,
    },
    '-s beside a shared holder is granted': {
      hold: 'shared',
      script: 'lock -s f echo ran',
      end: runs,
    },
    '-s beside -s, which excludes -n': {
      script: 'lock -s f lock --shared f lock -n f true || echo ran',
      end: runs,
    },
    '-e is -x': {
      hold: 'shared',
      script: 'lock -en f echo ran',
      end: { code: 75 },
      flock: REFUSAL,
    },
    'of -x -s the last counts': { hold: 'shared', script: 'lock -x -s -n f echo ran', end: runs },
    'of -s -x the last counts': {
      hold: 'shared',
      script: 'lock -s -x -n f echo ran',
      end: { code: 75 },
      flock: REFUSAL,
    },
    '-u runs the command without the lock': {
      script: 'lock -u f lock -n f echo ran',
      end: runs,
    },
    'of -u -x the last counts': {
      script: 'exec 9>f; lock -u -x 9; flock -n f true || echo ran',
      end: runs,
    },
    'of -x -u the last counts': {
      script: 'exec 9>f; lock -n 9; lock -x -u 9; flock -n f echo ran',
      end: runs,
    },
  });
});

describe('times and codes', () => {
  const refused = { hold: 'exclusive', end: { code: 75 }, flock: REFUSAL } as const;
  const usage = { end: { code: 64, files: [] } };
  both({
    '-w 0 is -n': { ...refused, script: 'lock -w 0 f echo ran' },
    '-w .05 gives up': { ...refused, script: 'lock -w .05 f echo ran' },
    '--timeout=0.05 gives up': { ...refused, script: 'lock --timeout=0.05 f echo ran' },
    '--wait 0.05 gives up': { ...refused, script: 'lock --wait 0.05 f echo ran' },
    'of -w 99 --wait 0.05 the last counts': {
      ...refused,
      script: 'timeout 5 lock -w 99 --wait 0.05 f echo ran',
    },
    '-n wins over -w': { ...refused, script: 'timeout 5 lock -n -w 99 f echo ran' },
    '--nb, --nonblock and --nonblocking are -n': {
      hold: 'exclusive',
      script: 'for o in nb nonblock nonblocking; do lock -E 9 --$o f echo ran; echo $?; done',
      end: { stdout: '9\n9\n9\n' },
    },
    '-w of more than a timer holds does not fire early': { script: 'lock -w 3000000 f true' },
    '-w of more than any clock holds': { script: 'lock -w 99999999999999 f true' },
    '-w 5.': { script: 'lock -w 5. f true' },
    '-w -1': {
      ...usage,
      script: 'lock -w -1 f true',
      flock: { code: 71, files: ['f'], because: 'a time that is none is a usage error' },
    },
    '-w with a number and more': { ...usage, script: 'lock -w 1x f true' },
    '-w with nothing in it': { ...usage, script: "lock -w '' f true" },
    '-w with a comma': { ...usage, script: 'lock -w 1,5 f true' },
    '-w without FILE': { ...usage, script: 'lock -w' },
    '-E 0': { hold: 'exclusive', script: 'lock -n -E 0 f echo ran' },
    '-E 255': { hold: 'exclusive', script: 'lock -n -E 255 f echo ran', end: { code: 255 } },
    '-E for a time that is up': {
      hold: 'exclusive',
      script: 'lock -w .05 --conflict-exit-code 7 f echo ran',
      end: { code: 7 },
    },
    'grouped: -nE9': { hold: 'exclusive', script: 'lock -nE9 f echo ran', end: { code: 9 } },
    '-E 256': { ...usage, script: 'lock -E 256 f true' },
    '-E -1': { ...usage, script: 'lock -E -1 f true' },
    '-E 1.0': { ...usage, script: 'lock -E 1.0 f true' },
    '-E 0x10': { ...usage, script: 'lock -E 0x10 f true' },
    '-E with nothing in it': { ...usage, script: "lock -E '' f true" },
  });
});

describe('the words of the command line', () => {
  const usage = { end: { code: 64, files: [] } };
  both({
    'no FILE': { ...usage, script: 'lock' },
    'no FILE after an option': { ...usage, script: 'lock -x' },
    'FILE alone, which is no number': { ...usage, script: 'lock foo' },
    'an unknown option': { ...usage, script: 'lock -Z f true' },
    'an unknown long option': { ...usage, script: 'lock --bogus f true' },
    'a value where none belongs': { ...usage, script: 'lock --verbose=1 f true' },
    '-o with -F': { ...usage, script: 'lock -o -F f true' },
    '-c before FILE': { ...usage, script: "lock -c f 'echo ran'" },
    '-c without a command': { ...usage, script: 'lock f -c' },
    '-c with words after its command': { ...usage, script: 'lock f -c true again' },
    '-c twice': { ...usage, script: "lock f -c 'echo a' -c 'echo b'" },
    'a shortened long option': {
      ...usage,
      script: 'lock --excl f true',
      flock: { code: 0, files: ['f'], because: 'options are spelled out' },
    },
    '-c runs a shell': { script: 'lock f -c \'echo "$0" a  b\'', end: { stdout: '/bin/sh a b\n' } },
    '--command is -c': { script: "lock f --command 'echo ran'", end: { stdout: 'ran\n' } },
    '-c with nothing in it': { script: "lock f -c ''" },
    '-c takes $SHELL': { script: 'SHELL=/bin/echo lock f -c x', end: { stdout: '-c x\n' } },
    '-c without $SHELL': {
      script: 'unset SHELL; lock f -c \'echo "$0"\'',
      end: { stdout: '/bin/sh\n' },
    },
    'options after FILE are the command’s': { script: 'lock f ls -1 -d f', end: { stdout: 'f\n' } },
    'so are those that lock knows': { script: 'lock f echo -n -s -w', end: { stdout: '-s -w' } },
    'the command’s own -c': { script: 'echo xax | lock f grep -c x', end: { stdout: '1\n' } },
    '-- before FILE': { script: 'lock -n -- f echo ran', end: { stdout: 'ran\n' } },
    '-- before a FILE like an option': {
      script: 'lock -- -n echo ran',
      end: { stdout: 'ran\n', files: ['-n'] },
    },
    '-- after FILE': {
      script: 'lock f -- echo ran',
      end: { stdout: 'ran\n' },
      flock: { code: 69, stdout: '', because: 'the command may be set off with --' },
    },
    'words stay words': {
      script: "lock f printf '<%s>' 'a b' '' '*' '$x'",
      end: { stdout: '<a b><><*><$x>' },
    },
    '--verbose': {
      script: 'lock --verbose f true',
      flock: {
        stdout: 'flock: getting lock took N seconds\nflock: executing true\n',
        because: 'messages go to stderr',
      },
    },
    'a number with a command is a file': {
      script: 'lock 9 echo ran',
      end: { stdout: 'ran\n', files: ['9'] },
    },
  });
});

describe('FILE', () => {
  const nobody = 'chmod 755 .; nobody() { setpriv --reuid=65534 --clear-groups -- "$@"; };';
  both({
    'a folder': { script: 'mkdir f; lock f echo ran', end: { stdout: 'ran\n' } },
    'a folder excludes': {
      script: 'mkdir f; lock f lock -n f echo ran',
      end: { code: 75 },
      flock: REFUSAL,
    },
    'a new file may be written by everybody whom umask lets': {
      script: 'umask 027; lock f true; stat -c %a f',
      end: { stdout: '640\n' },
    },
    'content is left alone': {
      script: 'echo mine >f; lock f true; cat f',
      end: { stdout: 'mine\n' },
    },
    'in a folder that is missing': {
      script: 'lock a/b/f echo ran',
      end: { stdout: 'ran\n', files: ['a'] },
      flock: { ...FOLDERS, code: 66, stdout: '', files: [] },
    },
    'below a file': { script: ': >f; lock f/g echo ran', end: { code: 73 }, flock: OPEN },
    'a symlink': {
      script: ': >g; ln -s g f; lock f echo ran',
      end: { code: 73, files: ['f', 'g'] },
      flock: { code: 0, stdout: 'ran\n', because: 'a symlink is never followed' },
    },
    'a device': {
      script: 'lock /dev/null echo ran',
      end: { code: 65, files: [] },
      flock: { code: 0, stdout: 'ran\n', because: 'only files and folders are locked' },
    },
    'without a name': {
      script: "lock '' echo ran",
      end: { code: 73, files: [] },
      flock: OPEN,
    },
    'that may only be read': {
      root: true,
      script: `${nobody} : >f; chmod 444 f; nobody lock f echo ran`,
      end: { stdout: 'ran\n' },
    },
    'that may not be opened': {
      root: true,
      script: `${nobody} : >f; chmod 600 f; nobody lock f echo ran`,
      end: { code: 73 },
      flock: OPEN,
    },
    'that may not be made': {
      root: true,
      script: `${nobody} nobody lock f echo ran`,
      end: { code: 73, files: [] },
      flock: OPEN,
    },
    'whose folder may not be made': {
      root: true,
      script: `${nobody} nobody lock a/f echo ran`,
      end: { code: 73, files: [] },
      flock: OPEN,
    },
  });
});
