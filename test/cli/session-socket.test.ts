import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { UNKNOWN_CALLER } from '../../src/cli/caller.js';
import { highNumber, programOf, runCommand } from '../../src/cli/command.js';
import { testFolder } from '../support/folder.js';

const onLinux = test.runIf(process.platform === 'linux');

describe('the number of a session’s socket', () => {
  test.each<[taken: number[], limit: number, number: number]>([
    [[], Number.POSITIVE_INFINITY, 1000],
    [[], 1_048_576, 1000],
    [[], 1001, 1000],
    [[], 1000, 999],
    [[1000, 999, 3], 4096, 998],
    // Where bash has the script that it reads.
    [[], 256, 254],
    [[254], 256, 253],
    [[], 64, 63],
    // Nothing high is left.
    [[4, 5], 6, 3],
    [[3], 4, 4],
    [[3, 4, 5], 3, 6],
  ])('with %j in use and %d allowed is %d', (taken, limit, number) => {
    expect(highNumber(taken, limit)).toBe(number);
  });

  onLinux('is that of its program, below the limit that the command gets', () => {
    const caller = { ...UNKNOWN_CALLER, mostFiles: 128, descriptors: [127] };
    const socket = programOf(['true'], 20, {}, caller, { isSocket: true });
    expect(socket).toMatchObject({ lock: 20, lockNumber: 126, endWithParent: false });
    expect(programOf(['true'], 20, {}, caller)).toMatchObject({ lock: 20, lockNumber: 3 });
    expect(programOf(['true'], null, {}, caller, { isSocket: true })).toMatchObject({
      lock: -1,
      lockNumber: -1,
    });
  });
});

interface Session {
  client: Socket;
  /** The side of the server. */
  server: Socket;
  fd: number;
}

async function session(listen: (server: Server) => void, address: () => object | string) {
  const server = createServer({ allowHalfOpen: true });
  onTestFinished(() => void server.close());
  listen(server);
  await once(server, 'listening');
  const to = address();
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const client = connect(to as string);
  await once(client, 'connect');
  const [other] = await accepted;
  onTestFinished(() => {
    client.destroy();
    other.destroy();
  });
  const { fd } = (client as unknown as { _handle: { fd: number } })._handle;
  return { client, server: other, fd } satisfies Session;
}

async function overTcp(): Promise<Session> {
  let tcp: Server | undefined;
  return session(
    (server) => {
      tcp = server;
      server.listen(0, '127.0.0.1');
    },
    () => tcp?.address() as object,
  );
}

function overUnix(): Promise<Session> {
  const path = join(testFolder(), 'socket');
  return session(
    (server) => server.listen(path),
    () => path,
  );
}

describe.each([
  ['TCP', overTcp],
  ['a Unix socket', overUnix],
])('over %s', (_, make) => {
  onLinux('the command has the socket at a high number, and not as 3', async () => {
    const { fd } = await make();
    const script = '[ -S /dev/fd/1000 ] && [ ! -e /dev/fd/3 ]';
    expect(await runCommand(['sh', '-c', script], fd, { isSocket: true })).toBe(0);
  });

  onLinux('what a script writes to 3 does not reach the session', async () => {
    const { server, fd } = await make();
    let heard = '';
    server.on('data', (bytes) => (heard += bytes));
    const script = 'exec 2>/dev/null; (echo x >&3); (echo y >&10); exit 0';
    expect(await runCommand(['bash', '-c', script], fd, { isSocket: true })).toBe(0);
    expect(heard).toBe('');
  });

  onLinux('the session lives until the command ends, and is closed then', async () => {
    const { client, server, fd } = await make();
    let isOver = false;
    server.resume();
    const over = once(server, 'end').then(() => (isOver = true));
    const ready = once(server, 'data');
    // The command says that it runs by way of the socket.
    const go = join(testFolder(), 'go');
    const script = `echo ready >&1000; while [ ! -e '${go}' ]; do sleep 0.01; done; exit 7`;
    const ran = runCommand(['bash', '-c', script], fd, { isSocket: true });
    await ready;
    client.destroy();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(isOver).toBe(false);
    writeFileSync(go, '');
    expect(await ran).toBe(7);
    await over;
  });
});

test('where Node starts the command, it has the socket at the same number', async () => {
  const { platform } = process;
  if (platform === 'win32') return;
  const { fd } = await overTcp();
  const { lockNumber } = programOf(['true'], fd, {}, UNKNOWN_CALLER, { isSocket: true });
  Object.defineProperty(process, 'platform', { value: 'darwin' });
  onTestFinished(() => void Object.defineProperty(process, 'platform', { value: platform }));
  const script = `[ -S /dev/fd/${lockNumber} ] && [ ! -S /dev/fd/3 ]`;
  expect(await runCommand(['sh', '-c', script], fd, { isSocket: true })).toBe(0);
});
