import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { findSessionProcess } from '../../src/claims/identity.js';
import { Claims } from '../../src/claims.js';
import { AGENT_HOSTS } from '../../src/cli/agent-hosts.js';
import { COMMAND, start } from '../support/command.js';
import { testFolder } from '../support/folder.js';
import { limit } from '../support/limit.js';
import { McpHost } from '../support/mcp-host.js';
import { Program } from '../support/program.js';

// If the tests run below a program that runs agents, that one is the session.
const above = findSessionProcess(AGENT_HOSTS);

let root = '';
let locks = '';
let claims: Claims;
let args: string[] = [];

beforeEach(() => {
  root = testFolder();
  locks = join(root, 'locks');
  claims = new Claims(locks, { root });
  args = ['--dir', locks, '--root', root];
  mkdirSync(join(root, 'src'));
});

const host = (name: string): Promise<McpHost> =>
  McpHost.start({ cwd: root, args: [...args, '--agent', name] });
const states = async (): Promise<Record<string, string>> =>
  Object.fromEntries((await claims.list()).map(({ agent, state }) => [agent, state]));

/** Speaks the protocol by itself, to see every byte. */
function bare(): { server: Program; send: (message: object) => void; messages: () => unknown[] } {
  const server = start(['mcp', ...args, '--agent', 'bare'], { cwd: root });
  const send = (message: object): void => {
    server.process.stdin?.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  };
  const messages = (): unknown[] =>
    server.stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  const clientInfo = { name: 'bare', version: '1' };
  const params = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo };
  send({ id: 0, method: 'initialize', params });
  send({ method: 'notifications/initialized' });
  return { server, send, messages };
}

const calling = (id: number, name: string, given: object, meta = {}): object => ({
  id,
  method: 'tools/call',
  params: { name, arguments: given, _meta: meta },
});

describe('what an agent has is free', () => {
  test('when its process is killed, and whoever waits for it gets it', async () => {
    const [one, other] = await Promise.all([host('one'), host('other')]);
    await one.tool('claim', { paths: ['src/'] });
    const waiting = other.tool(
      'claim',
      { paths: ['src/a.ts'], wait_seconds: 20 },
      { isWatched: true },
    );
    await other.event('progress');
    await one.kill();
    expect((await waiting).structuredContent).toMatchObject({ granted: true });
    expect((await states())['other']).toBe('active');
  });

  test.skipIf(above !== null)(
    'also if the server was killed before it; until then the session has it',
    async () => {
      const [one, other] = await Promise.all([host('one'), host('other')]);
      await one.tool('claim', { paths: ['src/'], task: 'move it' });
      process.kill(one.serverPid, 'SIGKILL');
      await one.event('closed');
      expect(await states()).toEqual({ one: 'active' });
      // The host starts it again: the agent has what it had.
      await one.connect({ cwd: root, args: [...args, '--agent', 'one'] });
      const { structuredContent } = await one.tool('claim', { paths: ['docs/'] });
      expect(structuredContent.scope.toSorted()).toEqual(['docs/', 'src/']);
      process.kill(one.serverPid, 'SIGKILL');
      const asked = { paths: ['src/a.ts'], wait_seconds: 20 };
      const waiting = other.tool('claim', asked, { isWatched: true });
      await other.event('progress');
      await one.kill();
      expect((await waiting).structuredContent).toMatchObject({ granted: true });
    },
  );

  test('when its host closes the connection', async () => {
    const one = await host('one');
    await one.tool('claim', { paths: ['src/'] });
    await one.call('close');
    await expect.poll(states).toEqual({});
  });

  test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('when the server gets %s', async (signal) => {
    const { server, send } = bare();
    send(calling(1, 'claim', { paths: ['src/'] }));
    await server.says('"granted":true');
    expect(await server.kill(signal)).toMatchObject({ code: 0, stderr: '' });
    expect(await states()).toEqual({});
  });
});

describe('the end of standard input ends the server at once', () => {
  test('while nothing happens', async () => {
    const { server } = bare();
    await server.says('"id":0');
    expect(await server.end()).toMatchObject({ code: 0, signal: null, stderr: '' });
  });

  test('while a call waits, which claims nothing', async () => {
    await claims.claim({ agent: 'hand', files: ['src/a.ts'] });
    const { server, send } = bare();
    send(calling(1, 'claim', { paths: ['x'] }));
    await server.says('"granted":true');
    const meta = { progressToken: 'p' };
    send(calling(2, 'claim', { paths: ['src/'], wait_seconds: 600 }, meta));
    await server.says('notifications/progress');
    const began = performance.now();
    expect(await server.end()).toMatchObject({ code: 0, signal: null, stderr: '' });
    expect(performance.now() - began).toBeLessThan(limit(1500));
    expect(await states()).toEqual({ hand: 'active' });
  });

  test('also when the one that has it was killed, and nobody reads any more', async () => {
    const one = await host('one');
    await claims.claim({ agent: 'hand', files: ['src/a.ts'] });
    const waiting = one.tool('claim', { paths: ['src/'], wait_seconds: 600 }, { isWatched: true });
    waiting.catch(() => {});
    await one.event('progress');
    const pid = one.serverPid;
    await one.kill();
    const isGone = (): boolean => {
      try {
        process.kill(pid, 0);
        return false;
      } catch {
        return true;
      }
    };
    await expect.poll(isGone, { timeout: 5000 }).toBe(true);
    expect(await states()).toEqual({ hand: 'active' });
  });
});

test('nothing but the protocol is on standard output, whatever comes in', async () => {
  const { server, send, messages } = bare();
  server.process.stdin?.write('this is no JSON\n\n{"jsonrpc":"2.0"}\n');
  send(calling(1, 'claim', { paths: [''] }));
  send({ id: 2, method: 'no/such/method' });
  send(calling(3, 'list', {}));
  await server.says('"id":3');
  await server.end();
  for (const each of messages()) expect(each).toMatchObject({ jsonrpc: '2.0' });
});

test.skipIf(above !== null)(
  'a runner between the host and the server is not the session',
  async () => {
    // As `npx holdfast mcp`: a shell that starts it, and waits.
    const script = `"$@"; exit $?`;
    const words = ['-c', script, 'sh', process.execPath, COMMAND, 'mcp', ...args];
    const server = Program.start('sh', words, { cwd: root });
    const params = {
      protocolVersion: '2025-06-18',
      capabilities: {},
      clientInfo: { name: 'bare', version: '1' },
    };
    const write = (message: object): void => {
      server.process.stdin?.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
    };
    write({ id: 0, method: 'initialize', params });
    write({ method: 'notifications/initialized' });
    write(calling(1, 'list', {}));
    await server.says('"id":1');
    expect(server.stdout).toMatch(new RegExp(`"agent":"node-${process.pid}\\b`));
  },
);
