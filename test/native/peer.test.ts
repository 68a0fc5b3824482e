import { chmodSync, closeSync, openSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { constants } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { PEER_PID, PEER_USER } from '../../src/native/binding.js';
import { loadBinding } from '../../src/native/load.js';
import { testFolder } from '../support/folder.js';
import { Program } from '../support/program.js';
import { NOBODY, needs } from '../support/tools.js';

const native = loadBinding('/x');
const { EBADF, ENOTCONN, ENOTSOCK } = constants.errno;

function descriptorOf(socket: Socket | Server): number {
  return (socket as unknown as { _handle: { fd: number } })._handle.fd;
}

/** What the addon says of the socket. */
function peerOf(socket: Socket): { pid: number | undefined; user: number | undefined } {
  expect(native.peer(descriptorOf(socket))).toBe(0);
  const results = native.results();
  return { pid: results[PEER_PID], user: results[PEER_USER] };
}

async function listening(where: object): Promise<Server> {
  const server = createServer();
  onTestFinished(() => void server.close());
  server.listen(where);
  await new Promise((resolve) => server.once('listening', resolve));
  return server;
}

const connected = (server: Server): Promise<Socket> =>
  new Promise((resolve) =>
    server.once('connection', (socket) => {
      onTestFinished(() => void socket.destroy());
      resolve(socket);
    }),
  );

const CLIENT = `
  const { connect } = await import('node:net');
  connect(args[0]).on('connect', () => say('connected')).resume();`;

describe('peer', () => {
  test('tells either end of a socket who is at the other', async () => {
    const path = join(testFolder(), 'x.sock');
    const server = await listening({ path });
    const accepted = connected(server);
    const client = Program.module(CLIENT, [path]);
    await client.says('connected');
    expect(peerOf(await accepted)).toEqual({ pid: client.pid, user: process.geteuid?.() });
    const own = connect(path);
    onTestFinished(() => void own.destroy());
    await new Promise((resolve) => own.once('connect', resolve));
    expect(peerOf(own)).toEqual({ pid: process.pid, user: process.geteuid?.() });
  });

  needs('root', 'perl')('also another user', async () => {
    const folder = testFolder();
    const path = join(folder, 'x.sock');
    const server = await listening({ path });
    chmodSync(folder, 0o711);
    chmodSync(path, 0o666);
    const accepted = connected(server);
    const client = Program.start(
      'perl',
      [
        '-MSocket',
        '-e',
        'socket(my $s, AF_UNIX, SOCK_STREAM, 0); connect($s, sockaddr_un($ARGV[0])) or die $!; sleep 20',
        path,
      ],
      NOBODY,
    );
    expect(peerOf(await accepted)).toEqual({ pid: client.pid, user: NOBODY.uid });
  });

  test('refuses what is not a connected Unix socket', async () => {
    const file = openSync('/dev/null', 'r');
    expect(native.peer(file)).toBe(ENOTSOCK);
    closeSync(file);
    expect(native.peer(-1)).toBe(EBADF);
    expect(native.peer(2 ** 30)).toBe(EBADF);
    const path = join(testFolder(), 'x.sock');
    const server = await listening({ path });
    const accepted = connected(server);
    const client = connect(path);
    await accepted;
    const closed = descriptorOf(client);
    client.destroy();
    await new Promise((resolve) => client.once('close', resolve));
    expect(native.peer(closed)).toBe(EBADF);
  });

  test('nor one of TCP', async () => {
    const server = await listening({ port: 0, host: '127.0.0.1' });
    const accepted = connected(server);
    const client = connect((server.address() as { port: number }).port, '127.0.0.1');
    onTestFinished(() => void client.destroy());
    expect(native.peer(descriptorOf(await accepted))).toBe(ENOTCONN);
  });
});
