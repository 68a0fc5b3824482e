// @module-tag long
import { describe, expect } from 'vitest';
import { LOCKERS, Stage, same } from '../support/replay.js';
import { needs } from '../support/tools.js';

describe('how the command ends', () => {
  const codes = [0, 1, 2, 64, 73, 75, 126, 127, 128, 130, 254, 255];
  const signals = [1, 2, 3, 6, 9, 11, 13, 14, 15, 24, 31];
  const endsBy = (numbers: number[]): { script: string; prints: string } => ({
    script: `ulimit -c 0; for n in ${numbers.join(' ')}; do lock f sh -c "kill -$n \\$\\$"; echo $?; done`,
    prints: numbers.map((number) => `${128 + number}\n`).join(''),
  });
  same({
    'its exit code': {
      script: `for n in ${codes.join(' ')}; do lock f sh -c "exit $n"; echo $?; done`,
      prints: codes.map((code) => `${code}\n`).join(''),
    },
    'the number of the signal that ended it': endsBy(signals),
    'with -F it is the end of lock itself': {
      script: 'lock -F f sh -c "exit 7"; echo $?; lock -F f sh -c "kill -9 \\$\\$"; echo $?',
      prints: '7\n137\n',
    },
  });
});

describe('what cannot be run is 69', () => {
  const cases = {
    'no such command': 'lock f nowhere',
    'not executable': ': >c; lock f ./c',
    'a folder': 'lock f ./',
    'no interpreter': 'echo "#!/no/where" >c; chmod +x c; lock f ./c',
    'without a name': "lock f ''",
    'below a file': ': >g; lock f g/command',
    'a circle of symlinks': 'ln -s c c; lock f ./c',
    'open for writing': 'cp /bin/true c; exec 9>>c; lock f ./c',
  };
  for (const [title, script] of Object.entries(cases)) {
    const inPlace = script.replace('lock f', 'lock -F f');
    same({ [title]: { script: `${script}; echo $?; ${inPlace}; echo $?`, prints: '69\n69\n' } });
  }
  same({
    'a script without an interpreter line is run by sh': {
      script: 'echo "echo ran" >c; chmod +x c; lock f ./c; lock -F f ./c',
      prints: 'ran\nran\n',
    },
    'the lock is free afterwards': {
      script: 'lock f nowhere; lock -n f echo got',
      prints: 'got\n',
    },
  });
});

describe('what the command inherits', () => {
  const descriptors = "sh -c 'ls -l /proc/self/fd | grep -c work/f$'";
  same({
    'the lock, as a descriptor': { script: `lock f ${descriptors}`, prints: '1\n' },
    'with -F as well': { script: `lock -F f ${descriptors}`, prints: '1\n' },
    'and not with -o': { script: `lock -o f ${descriptors}; true`, prints: '0\n' },
    'the descriptor is number 3, and locked': {
      script: 'lock f flock -n 3; echo $?',
      prints: '0\n',
    },
    'with -o number 3 is closed': { script: 'lock -o f flock -n 3; echo $?', prints: '65\n' },
    'with -F it has the pid of lock': {
      script: `sh -c 'echo $$; exec lock -F f sh -c "echo \\$\\$"' | uniq | wc -l`,
      prints: '1\n',
    },
    'the group and the session': {
      script: `ids() { cut -d' ' -f5,6 "$1"; }; ids /proc/$$/stat >own; lock f cut -d' ' -f5,6 /proc/self/stat | cmp - own && echo same`,
      prints: 'same\n',
    },
    'the folder, umask and environment': {
      script: 'umask 027; A="x y" lock f sh -c \'umask; basename "$PWD"; echo "$A"\'',
      prints: '0027\nwork\nx y\n',
    },
    'no signal is ignored or blocked': {
      script: `for o in '' -F; do lock $o f grep -E 'Sig(Blk|Ign)' /proc/self/status; done | uniq -c | wc -l;
        lock f sh -c 'kill -PIPE $$'; echo $?; lock -F f sh -c 'kill -PIPE $$'; echo $?`,
      prints: '4\n141\n141\n',
    },
    'a standard error that blocks, also after a message and with -F': {
      // O_NONBLOCK, 04000 in octal, belongs to the pipe that everybody shares.
      script: `for o in '' -F; do
        lock --verbose $o f grep flags /proc/self/fdinfo/2 2>&1 >out | cat >&2; grep -c 'flags:.*4...$' out
      done; true`,
      prints: '0\n0\n',
    },
  });
});

describe('the standard streams', () => {
  const lines = 400_000;
  for (const options of ['', '-F', '-o', '-s']) {
    same({
      [`carry what is large: ${options || 'no options'}`]: {
        script: `seq ${lines} | lock ${options} f cat | cksum >a; seq ${lines} | cksum | cmp - a && echo same`,
        prints: 'same\n',
      },
    });
  }
  same({
    'a reader that stops early ends the command': {
      script: 'lock f yes | head -n 1; lock -F f yes | head -n 1',
      prints: 'y\ny\n',
    },
    'stdin that is closed': { script: 'lock f cat <&-; lock -n f echo free', prints: 'free\n' },
    'stderr is the command’s alone': {
      script: 'lock f sh -c "echo error >&2" 2>err; cat err',
      prints: 'error\n',
    },
  });
});

describe('the forms of man flock', () => {
  same({
    '(lock -n 9; …) 9>f holds until the shell ends': {
      script: '(lock -n 9 || exit; flock -n f true || echo held) 9>f; flock -n f echo free; ls',
      prints: 'held\nfree\nf\n',
    },
    'the descriptor may be open for reading only': {
      script: ': >f; (lock -n 9 && echo got) 9<f',
      prints: 'got\n',
    },
    'or lead to a folder': { script: '(lock -n 9 && echo got) 9<.', prints: 'got\n' },
    'or be the standard input': { script: ': >f; lock -n 0 <f && echo got', prints: 'got\n' },
    'a shared lock of a descriptor': {
      script: '(lock -s 9; flock -s -n f echo shared; flock -n f true || echo held) 9>f',
      prints: 'shared\nheld\n',
    },
    'a lock of a descriptor changes its mode': {
      script: 'exec 4<>f; lock -x 4; lock -s -n 4; flock -s -n f echo shared',
      prints: 'shared\n',
    },
    'another description of the file is refused': {
      script: 'exec 8>f 9>f; lock -n 8; lock -n -E 7 9; echo $?; lock -w .05 -E 7 9; echo $?',
      prints: '7\n7\n',
    },
    'after -u another process acquires': {
      script:
        'exec 9>f; lock -n 9; flock -n f true || echo held; lock -u 9; flock -n f echo free; ls',
      prints: 'held\nfree\nf\n',
    },
    'neither writes into the file': {
      script: 'echo mine >f; exec 9>>f; lock -n 9; lock -u 9; cat f',
      prints: 'mine\n',
    },
    'a number that is not open': { script: 'lock -n 9; echo $?', prints: '65\n' },
    'a number that cannot be one': { script: 'lock -n 4294967305 9>f; echo $?', prints: '64\n' },
    'lock within lock': {
      script: 'lock f lock g sh -c "flock -n f true || flock -n g true || echo both"',
      prints: 'both\n',
    },
  });

  for (const locker of LOCKERS) {
    needs('flock')(`a script that locks itself runs once at a time: ${locker}`, async () => {
      const stage = new Stage(locker);
      const text = `#!/bin/sh
        [ "$FLOCKER" != "$0" ] && exec env FLOCKER="$0" lock -en "$0" "$0" "$@" || :
        echo "runs with $1 and $2"
        read line`;
      const write = `cat >self <<'END'\n${text}\nEND\nchmod +x self; cp self copy; exec ./self a 'b c'`;
      const first = stage.script(write);
      await first.says('runs with a and b c');
      const second = await stage.script('./self; echo $?; cmp self copy && echo untouched').end();
      expect(second.stdout).toBe(`${locker === 'flock' ? 1 : 75}\nuntouched\n`);
      expect((await first.end()).stdout).toBe('runs with a and b c\n');
      const third = stage.script('./self x y; cmp self copy && echo untouched');
      expect((await third.end()).stdout).toBe('runs with x and y\nuntouched\n');
    });
  }
});
