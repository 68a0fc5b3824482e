import { execFileSync } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { dirname } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { InstanceLock } from '../../src/instance.js';
import { descriptorsTo, until } from '../support/census.js';
import { lockPath } from '../support/folder.js';
import { runningInstance, told } from '../support/instance.js';
import { limit } from '../support/limit.js';
import { asUser, echo, firstHere, rawClient, send } from '../support/messages.js';
import { Program } from '../support/program.js';
import { errorOf } from '../support/refused.js';
import { NOBODY, needs } from '../support/tools.js';

/** What another program may have at PATH.sock, and how to see that it is untouched. */
const FOREIGN: [string, (socket: string) => void][] = [
  ['a file', (socket) => writeFileSync(socket, 'precious')],
  ['a folder', (socket) => mkdirSync(socket)],
  ['a link that leads nowhere', (socket) => symlinkSync('nowhere', socket)],
  ['a link to a file', (socket) => symlinkSync(dirname(socket), socket)],
  ['a FIFO', (socket) => void execFileSync('mkfifo', [socket])],
];

describe('at PATH.sock', () => {
  test.each(FOREIGN)(
    '%s is refused and left alone, by the first and the second',
    async (_, make) => {
      const path = lockPath();
      make(`${path}.sock`);
      const { ino } = lstatSync(`${path}.sock`);
      const error = await errorOf(() => InstanceLock.acquire(path, { onMessage: echo }));
      expect(error).toMatchObject({ code: 'ERR_LOCK_STATE', path });
      expect(readdirSync(dirname(path))).toEqual(['test.lock.sock']);
      await runningInstance(path);
      expect(await errorOf(() => send(path, 1))).toMatchObject({ code: 'ERR_LOCK_STATE', path });
      expect(lstatSync(`${path}.sock`).ino).toBe(ino);
      expect(descriptorsTo(dirname(path))).toBe(0);
    },
  );

  test('the socket of a running program is refused and left alone', async () => {
    const path = lockPath();
    const server = createServer((socket) => socket.end());
    onTestFinished(() => void server.close());
    await new Promise<void>((resolve) => server.listen(`${path}.sock`, resolve));
    const error = await errorOf(() => InstanceLock.acquire(path, { onMessage: echo }));
    expect(error).toMatchObject({ code: 'ERR_LOCK_STATE' });
    expect((error as Error).message).toContain(`pid ${process.pid}`);
    expect(readdirSync(dirname(path))).toEqual(['test.lock.sock']);
  });

  needs('perl')('a socket of another kind is refused and left alone', async () => {
    const path = lockPath();
    const source =
      'socket(my $s, AF_UNIX, SOCK_DGRAM, 0); bind($s, sockaddr_un($ARGV[0])) or die $!; $| = 1; print "bound"; <STDIN>';
    const other = Program.start('perl', ['-MSocket', '-e', source, `${path}.sock`]);
    await other.says('bound');
    const refused = { code: 'ERR_LOCK_STATE', path };
    const error = await errorOf(() => InstanceLock.acquire(path, { onMessage: echo }));
    expect(error).toMatchObject(refused);
    await runningInstance(path);
    expect(await errorOf(() => send(path, 1))).toMatchObject(refused);
    expect(lstatSync(`${path}.sock`).isSocket()).toBe(true);
    await other.end();
  });

  // As a first does that ends between our connecting and our learning of it.
  test('a program that ends with our connection unaccepted is no error', async () => {
    const path = lockPath();
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(`${path}.sock`, resolve));
    const close = (): void => queueMicrotask(() => server.close());
    subscribe('net.client.socket', close);
    onTestFinished(() => void unsubscribe('net.client.socket', close));
    const first = await firstHere(path);
    unsubscribe('net.client.socket', close);
    expect(server.listening).toBe(false);
    expect((await send(path, 1)).answer).toEqual({ message: 1, pid: process.pid });
    await first.release();
  });

  test.each([
    ['closes each connection', null, 'ERR_INSTANCE_NO_ANSWER'],
    ['answers no JSON', 'hello\n', 'ERR_LOCK_STATE'],
    ['answers no object', '[]\n', 'ERR_LOCK_STATE'],
    ['answers without end', 'x'.repeat(2 ** 21), 'ERR_LOCK_STATE'],
    ['answers half a line', '{"answer":', 'ERR_INSTANCE_NO_ANSWER'],
    ['answers an error of no kind', '{"error":7}\n', 'ERR_INSTANCE_HANDLER'],
  ])('a program that %s: the sender is told, and does not spin', async (_, answer, code) => {
    const path = lockPath();
    await runningInstance(path);
    let connections = 0;
    const server = createServer((socket) => {
      connections++;
      socket.on('error', () => {});
      socket.once('data', () => socket.end(answer ?? ''));
    });
    onTestFinished(() => void server.close());
    await new Promise<void>((resolve) => server.listen(`${path}.sock`, resolve));
    expect(await errorOf(() => send(path, 1, { timeout: 150 }))).toMatchObject({ code });
    expect(connections).toBeLessThan(12);
  });

  test('what a crash has left is replaced', async () => {
    const path = lockPath();
    const first = await firstHere(path);
    const { ino } = lstatSync(`${path}.sock`);
    first.releaseSync();
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(`${path}.sock`, resolve));
    execFileSync('mv', [`${path}.sock`, `${path}.kept`]);
    await new Promise((resolve) => server.close(resolve));
    execFileSync('mv', [`${path}.kept`, `${path}.sock`]);
    await firstHere(path);
    expect(lstatSync(`${path}.sock`).ino).not.toBe(ino);
    expect((await send(path, 1)).answer).toEqual({ message: 1, pid: process.pid });
  });
});

describe('another user', () => {
  const asNobody = (path: string, source: string): Program =>
    Program.start('perl', ['-MSocket', '-e', source, `${path}.sock`], NOBODY);
  const CONNECT = 'socket(my $s, AF_UNIX, SOCK_STREAM, 0); $s->autoflush(1);';

  needs('root', 'perl')('cannot connect', async () => {
    const path = lockPath();
    await firstHere(path);
    chmodSync(dirname(path), 0o777);
    const source = `${CONNECT} connect($s, sockaddr_un($ARGV[0])) or print "$!";`;
    expect((await asNobody(path, source).exited).stdout).toBe('Permission denied');
  });

  needs('root', 'perl')('who could connect is not heard', async () => {
    const path = lockPath();
    const seen: unknown[] = [];
    await firstHere(path, (message) => void seen.push(message));
    chmodSync(dirname(path), 0o777);
    chmodSync(`${path}.sock`, 0o777);
    // The connection may be closed before it prints.
    const source = `use IO::Handle; ${CONNECT} connect($s, sockaddr_un($ARGV[0])) or die $!;
      $SIG{PIPE} = 'IGNORE'; print $s '{"message":1}', "\\n"; my $got = <$s>; print defined $got ? $got : 'closed';`;
    expect((await asNobody(path, source).exited).stdout).toBe('closed');
    expect(seen).toEqual([]);
  });

  needs('root', 'perl')('is not sent to: the error names the owner', async () => {
    const path = lockPath();
    await runningInstance(path);
    chmodSync(dirname(path), 0o777);
    const source = `use IO::Handle; ${CONNECT} unlink $ARGV[0]; bind($s, sockaddr_un($ARGV[0])) or die $!;
      listen($s, 5); print "ready"; STDOUT->flush; accept(my $c, $s); print 'accepted'; sleep 20`;
    const stranger = asNobody(path, source);
    await stranger.says('ready');
    for (const own of [false, true]) {
      // Its owner cannot be believed: whoever listens there can be seen.
      if (own) chownSync(`${path}.sock`, 0, 0);
      const error = await errorOf(() => send(path, 'secret', { timeout: 500 }));
      expect(error).toMatchObject({ code: 'ERR_LOCK_STATE', path });
      expect((error as Error).message).toContain(`uid ${NOBODY.uid}`);
    }
    expect(await errorOf(() => InstanceLock.acquire(`${path}`, { onMessage: echo }))).toMatchObject(
      {
        code: 'ERR_LOCK_HELD',
      },
    );
  });

  needs('root', 'perl')('who left a socket there is named by the first', async () => {
    const path = lockPath();
    chmodSync(dirname(path), 0o777);
    const source = `${CONNECT} bind($s, sockaddr_un($ARGV[0])) or die $!; print 'bound'`;
    expect((await asNobody(path, source).exited).stdout).toBe('bound');
    const error = await errorOf(() => InstanceLock.acquire(path, { onMessage: echo }));
    expect(error).toMatchObject({ code: 'ERR_LOCK_STATE', path });
    expect((error as Error).message).toContain(`uid ${NOBODY.uid}`);
  });

  needs('root')('as the second is refused, and told who owns the socket', async () => {
    const path = lockPath();
    const lock = await InstanceLock.acquire(path, { onMessage: echo, permissions: 0o666 });
    onTestFinished(() => lock.releaseSync());
    chmodSync(dirname(path), 0o777);
    chmodSync(path, 0o666);
    const second = asUser(path, NOBODY);
    const { stderr } = await second.exited;
    expect(stderr).toBe('');
    expect(told(second)).toMatchObject([{ code: 'ERR_LOCK_STATE' }]);
    expect(told(second)[0].message).toContain('uid 0');
  });
});

describe('a client without Holdfast', () => {
  test.each([
    ['garbage', 'hello\n', '{"error":'],
    ['no message', '{}\n', '{"error":'],
    ['a list', '[1]\n', '{"error":'],
    ['more than a line', '{"message":1}\n{"message":2}\n', '{"answer":1}\n'],
  ])('that sends %s gets one answer', async (_, text, answer) => {
    const path = lockPath();
    const seen: unknown[] = [];
    await firstHere(path, (message) => {
      seen.push(message);
      return message;
    });
    const { closed } = await rawClient(path, text);
    expect((await closed).startsWith(answer)).toBe(true);
    expect(seen.length).toBeLessThan(2);
    expect((await send(path, 'next')).answer).toBe('next');
  });

  test('that sends too much is cut off, and nothing is called', async () => {
    const path = lockPath();
    const seen: unknown[] = [];
    await firstHere(path, (message) => void seen.push(message));
    const { closed } = await rawClient(path, `{"message":"${'x'.repeat(2 ** 21)}`);
    await closed;
    expect(seen).toEqual([]);
  });

  test("that sends half a line, nothing, or goes away is in nobody's way", async () => {
    const path = lockPath();
    const first = await firstHere(path);
    const half = await rawClient(path, '{"message":');
    const none = await rawClient(path, null);
    const gone = await rawClient(path, '{"mess');
    gone.socket.destroy();
    expect((await send(path, 1)).answer).toEqual({ message: 1, pid: process.pid });
    // Nobody waits for them, and they are closed.
    const began = performance.now();
    await first.release();
    expect(performance.now() - began).toBeLessThan(limit(1000));
    expect(await half.closed).toBe('');
    expect(await none.closed).toBe('');
  });

  test('a hundred of them, and a thousand senders at once', { tags: ['long'] }, async () => {
    await manySenders(1000, 100);
  });

  test('ten of them, and fifty senders at once', async () => {
    await manySenders(50, 10);
  });
});

async function manySenders(senders: number, silent: number): Promise<void> {
  const path = lockPath();
  const seen = new Map<unknown, number>();
  await firstHere(path, (message) => {
    seen.set(message, (seen.get(message) ?? 0) + 1);
    return message;
  });
  await Promise.all(Array.from({ length: silent }, () => rawClient(path, null)));
  const all = Array.from({ length: senders }, (_, index) => send(path, index, { timeout: 20_000 }));
  const answers = (await Promise.all(all)).map(({ answer }) => answer);
  expect(answers).toEqual(Array.from({ length: senders }, (_, index) => index));
  expect([...seen.values()]).toEqual(Array.from({ length: senders }, () => 1));
  await until(() => descriptorsTo(`${path}.sock`) === 0);
  expect(readFileSync(path, 'utf8')).toContain(`${process.pid}`);
}
