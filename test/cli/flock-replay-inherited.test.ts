// @module-tag long
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FileLock, inspect } from '../../src/index.js';
import { until } from '../support/census.js';
import { COMMAND, start } from '../support/command.js';
import { testFolder } from '../support/folder.js';
import { Program } from '../support/program.js';
import { LOCKERS, Stage, same } from '../support/replay.js';
import { needs } from '../support/tools.js';

// What the caller passes reaches the command as it is.

describe('descriptors of the caller', () => {
  const numbers = [3, 5, 9, 10, 15, 16, 17, 63, 200];
  const passed = numbers.map((number) => `${number}>l${number}`).join(' ');
  const written = numbers.map((number) => `echo ${number} >&${number}`).join('; ');
  for (const options of ['', '-F', '-o', '-s']) {
    same(
      {
        [`are the command's under their own numbers: ${options || 'no options'}`]: {
          script: `bash -c 'lock ${options} f bash -c "${written}" ${passed}'; cat ${numbers.map((number) => `l${number}`).join(' ')}; grep -c "^[0-9]*$" f; true`,
          prints: `${numbers.join('\n')}\n0\n`,
        },
      },
      'bash',
    );
  }
  same({
    'what is only read is passed too': {
      script: 'echo text >t; lock f sh -c "cat <&3" 3<t',
      prints: 'text\n',
    },
    'the lock is at a number that was free, and locked': {
      script:
        'lock f sh -c "flock -n 4; echo \\$?; flock -n 3; echo \\$?" 3>x 5>y; flock -n x true',
      prints: '0\n0\n',
    },
    'nothing of the locker’s own is passed': {
      script: `lock f sh -c 'cd /proc/self/fd; for n in *; do readlink $n; done' | grep -cE 'anon_inode|event'; true`,
      prints: '0\n',
    },
    'a pipe': {
      script: '(lock f sh -c "echo through >&7" 7>&1 >/dev/null) | cat',
      prints: 'through\n',
    },
    'with -F a command that cannot be run leaves them alone': {
      script: 'exec 3>x; lock -F f ./nowhere; echo $?; echo still >&3; cat x',
      prints: '69\nstill\n',
    },
  });
  same(
    {
      'a jobserver of make': {
        script: `printf 'all: a b c\\na b c:\\n\\t+@lock -s f make -f sub $@\\n' >Makefile; printf '%%:\\n\\t@:\\n' >sub; MAKEFLAGS= make -s -j2 2>&1 | grep -c jobserver; true`,
        prints: '0\n',
      },
    },
    'make',
  );
  same(
    {
      'a listening socket': {
        script: `cat >s.py <<'END'
import os, socket, sys
server = socket.socket()
server.bind(('127.0.0.1', 0))
server.listen()
os.dup2(server.fileno(), 7)
look = "import socket; print(socket.socket(fileno=7).getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))"
os.execvp('lock', ['lock', 'f', 'python3', '-c', look])
END
python3 s.py`,
        prints: '1\n',
      },
    },
    'python3',
  );

  for (const locker of LOCKERS) {
    needs('flock')(`the channel to a parent that is a Node program: ${locker}`, async () => {
      const stage = new Stage(locker);
      const source = `process.on('message', (text) => {
        process.send('heard ' + text);
        process.disconnect();
      });
      process.send('ready');`;
      const child = spawn(stage.lock, ['f', process.execPath, '-e', source], {
        cwd: stage.folder,
        env: stage.environment,
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      });
      onTestFinished(() => void child.kill('SIGKILL'));
      const heard: unknown[] = [];
      child.on('message', (message) => {
        heard.push(message);
        if (message === 'ready') child.send('you');
      });
      const [code] = await once(child, 'exit');
      expect({ code, heard }).toEqual({ code: 0, heard: ['ready', 'heard you'] });
    });
  }
});

describe('many and odd', () => {
  same(
    {
      'thousands of descriptors are all passed': {
        script: `cat >many.py <<'END'
import os, resource
resource.setrlimit(resource.RLIMIT_NOFILE, (8000, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
log = os.open('log', os.O_CREAT | os.O_WRONLY)
for number in range(3, 5000):
    if number != log: os.dup2(log, number)
    os.set_inheritable(number, True)
write = 'import os; [os.write(number, b"x") for number in (3, 4095, 4096, 4097, 4999)]'
os.execvp('lock', ['lock', 'f', 'python3', '-c', write])
END
python3 many.py; cat log; grep -c x f; true`,
        prints: 'xxxxx0\n',
      },
    },
    'python3',
  );
  same({
    'an element of PATH that is too long is passed over': {
      script: `l=$(command -v lock); PATH=$(seq -s y 2000):/bin:/usr/bin "$l" f echo found`,
      prints: 'found\n',
    },
    'a shell whose path is not UTF-8': {
      script: `d=$(printf 'caf\\351'); mkdir "$d"; ln -s /bin/sh "$d/sh"; SHELL="$PWD/$d/sh" lock f -c 'echo ran'`,
      prints: 'ran\n',
    },
  });
});

describe('words that are not UTF-8', () => {
  const odd = "$(printf 'caf\\351-\\303\\251')";
  for (const options of ['', '-F']) {
    same({
      [`are the command's arguments: ${options || 'no options'}`]: {
        script: `lock ${options} f printf '%s,' "${odd}" plain "" "${odd}" | od -An -c -w60 | tr -s ' '`,
        prints: ' c a f 351 - 303 251 , p l a i n , , c a f 351 - 303 251 ,\n',
      },
      [`and its environment: ${options || 'no options'}`]: {
        script: `ODD="${odd}" lock ${options} f sh -c 'printf %s "$ODD"' | od -An -c | tr -s ' '`,
        prints: ' c a f 351 - 303 251\n',
      },
    });
  }
  same({
    'the command of -c as well': {
      script: `lock f -c "printf %s '${odd}'" | od -An -c | tr -s ' '`,
      prints: ' c a f 351 - 303 251\n',
    },
    'a large environment and many words arrive whole': {
      script: `BIG=$(head -c 100000 /dev/zero | tr '\\0' x); export BIG; lock f sh -c 'echo $# \${#BIG}' $(seq 100000)`,
      prints: '99999 100000\n',
    },
  });
});

describe('limits and signals', () => {
  same(
    {
      'the soft limit of open files': {
        script: `bash -c 'ulimit -Sn 100; lock f bash -c "ulimit -Sn"; lock -F f bash -c "ulimit -Sn"; :'`,
        prints: '100\n100\n',
      },
    },
    'bash',
  );
  same({
    'a real-time signal that ends the command': {
      script: 'ulimit -c 0; for n in 34 50 64; do lock f sh -c "kill -$n \\$\\$"; echo $?; done',
      prints: '162\n178\n192\n',
    },
    'nohup after the lock': {
      script: `lock f nohup sh -c 'kill -HUP $$; echo alive' 2>/dev/null`,
      prints: 'alive\n',
    },
    'no signal is ignored that was not': {
      script: `lock f sh -c 'for n in HUP INT TERM PIPE CHLD USR1; do sh -c "kill -$n \\$\\$; echo alive"; done'; true`,
      prints: 'alive\n',
    },
  });
});

describe('what is full or shared', () => {
  same(
    {
      'on a full disk the command runs, so that it can make room': {
        script: `mkdir fs; unshare -m sh -c 'mount -t tmpfs -o size=4k none fs && head -c 8192 /dev/zero >fs/fill;
          lock fs/a.lock sh -c "rm fs/fill; echo got"' 2>/dev/null`,
        prints: 'got\n',
      },
    },
    'root',
    'unshare',
  );
  same({
    'where no file may grow as well': {
      script: 'ulimit -f 0; lock f echo got 2>/dev/null',
      prints: 'got\n',
    },
    'a sibling on the same standard error is not cut short': {
      script: `flock f sh -c ': >held; sleep 0.5' & until [ -e held ]; do :; done
        { sh -c 'head -c 1048576 /dev/zero >&2' & lock -w 9 f true; wait; } 2>&1 >out | tr -dc '\\0' | wc -c`,
      prints: '1048576\n',
    },
  });
});

// `next-id` and `elect` run their commands in the same way.
const HELD: Record<string, string> = { run: 'f', 'next-id': '.next-id.lock', elect: '.primary' };
const RUNNERS: [string, (folder: string) => string[]][] = [
  ['run', (folder) => ['run', join(folder, 'f')]],
  ['next-id', (folder) => ['next-id', folder]],
  ['elect', (folder) => ['elect', folder]],
];

describe.each(RUNNERS)('%s', (name, wordsFor) => {
  test('while it waits, SIGUSR1 ends it, and opens no debugger', async () => {
    const folder = testFolder();
    using _lock = FileLock.acquireSync(join(folder, HELD[name] as string));
    const program = start([...wordsFor(folder), 'true']);
    const path = join(folder, HELD[name] as string);
    await until(async () => (await inspect(path)).waiters.includes(program.pid));
    expect(await program.kill('SIGUSR1')).toMatchObject({
      code: 138,
      stderr: expect.not.stringContaining('Debugger'),
    });
  });

  needs('bash')('leaves the descriptors of the caller to the command', async () => {
    const folder = testFolder();
    const command = `exec node "$0" "$@" bash -c 'echo three >&3; echo nine >&9' 3>three 9>nine`;
    const words = ['-c', command, COMMAND, ...wordsFor(join(folder, 'd'))];
    const { code, stderr } = await Program.start('bash', words, { cwd: folder }).end();
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(readFileSync(join(folder, 'three'), 'utf8')).toBe('three\n');
    expect(readFileSync(join(folder, 'nine'), 'utf8')).toBe('nine\n');
    const inside = readdirSync(join(folder, 'd'), { withFileTypes: true });
    for (const file of inside.filter((each) => each.isFile())) {
      expect(readFileSync(join(folder, 'd', file.name), 'utf8')).not.toMatch(/three|nine/);
    }
  });

  needs('bash')('ends as the command does under a storm of signals', async () => {
    const rounds = 8;
    for (let round = 0; round < rounds; round++) {
      const folder = testFolder();
      const script = 'trap "exit 0" TERM; echo ready; while :; do sleep 0.01; done';
      const program = Program.start(process.execPath, [
        COMMAND,
        ...wordsFor(folder),
        ...['bash', '-c', script],
      ]);
      await program.says('ready');
      const storm = setInterval(() => program.process.kill('SIGTERM'), 3);
      const { code, signal } = await program.exited.finally(() => clearInterval(storm));
      expect({ round, code, signal }).toEqual({ round, code: 0, signal: null });
    }
  });
});

needs('python3')(
  'signals ignored on entry do not keep a command from being waited for',
  async () => {
    const folder = testFolder();
    const script = `
import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
os.execvp(sys.argv[1], sys.argv[1:])`;
    const words = ['-c', script, process.execPath, COMMAND, 'run', join(folder, 'f')];
    const { code } = await Program.start('python3', [...words, 'sh', '-c', 'exit 7']).end();
    expect(code).toBe(7);
  },
);
