// The tools in the process of the test: what each answers, as text and as
// structured content, to a client of the maintained package.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client, InMemoryTransport } from '@modelcontextprotocol/client';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { Claims } from '../../src/claims.js';
import { AgentClaims } from '../../src/mcp/agent-claims.js';
import { addResource } from '../../src/mcp/resource.js';
import { McpServer } from '../../src/mcp/sdk.js';
import { addTools } from '../../src/mcp/tools.js';
import { testFolder } from '../support/folder.js';
import { type ToolResult, textOf } from '../support/mcp-host.js';
import { within } from '../support/remote.js';
import { expectWarning } from '../support/setup.js';

expectWarning('HOLDFAST_CLAIM_INVALID');

let root = '';
let locks = '';
let claims: Claims;

beforeEach(() => {
  root = testFolder();
  locks = join(root, 'locks');
  mkdirSync(join(root, 'src'), { recursive: true });
  writeFileSync(join(root, 'src/a.ts'), '');
  claims = new Claims(locks, { root });
});

/** A server for one agent, whose claims end with this process, and its client. */
async function connect(agent: string | null, place = claims as Claims | null) {
  const own = new AgentClaims(
    { claimsHere: place, hasFolder: true },
    { agent, binding: { session: { pid: process.pid }, keepAlive: true } },
  );
  const ended = new AbortController();
  const server = new McpServer(
    { name: 'holdfast', version: '1.0.0' },
    { capabilities: { resources: { subscribe: true } } },
  );
  addTools(server, own);
  addResource(server, own, { ended: ended.signal, tellsAll: false });
  const client = new Client({ name: 'test', version: '1.0.0' });
  const [here, there] = InMemoryTransport.createLinkedPair();
  await Promise.all([server.connect(there), client.connect(here)]);
  onTestFinished(async () => {
    ended.abort();
    await client.close();
    await own.end();
  });
  const call = async (name: string, given: object = {}): Promise<ToolResult> =>
    (await client.callTool({
      name,
      arguments: given as Record<string, unknown>,
    })) as ToolResult;
  return { client, call, own };
}

describe('a tool', () => {
  test('grants, refuses, tells of both, and gives back', async () => {
    const [one, other] = [await connect('one'), await connect('other')];
    const granted = await one.call('claim', {
      paths: [join(root, 'src/')],
      except: [join(root, 'src/gen/')],
      task: 'Write it',
    });
    expect(granted.structuredContent).toMatchObject({
      granted: true,
      agent: 'one',
      scope: ['src/'],
    });
    expect(textOf(granted)).toContain('src/');

    const refused = await other.call('claim', { paths: [join(root, 'src/a.ts')] });
    expect(refused.isError).not.toBe(true);
    expect(refused.structuredContent).toMatchObject({
      granted: false,
      conflicts: [{ with: 'one', task: 'Write it' }],
    });
    expect(textOf(refused)).toContain('Write it');

    const checked = await other.call('check', {
      paths: [join(root, 'src/a.ts'), join(root, 'src/gen/b.ts'), '/elsewhere'],
    });
    expect(JSON.stringify(checked.structuredContent)).toMatch(/other.*unclaimed.*outside/);
    expect(textOf(checked)).toContain('one');

    const listed = await other.call('list');
    expect(JSON.stringify(listed.structuredContent)).toContain('"one"');

    const some = await one.call('release', { paths: [join(root, 'src/a.ts')] });
    expect(some.structuredContent).toMatchObject({ scope: ['src/'] });
    expect(
      (await other.call('claim', { paths: [join(root, 'src/a.ts')] })).structuredContent,
    ).toMatchObject({ granted: true });
    expect((await one.call('release')).structuredContent).toMatchObject({ scope: [] });
    expect((await claims.list()).map(({ agent }) => agent)).toEqual(['other']);
  });

  test('plans waves, with what can be done about a conflict', async () => {
    const one = await connect('one');
    const planned = await one.call('plan', {
      requests: [
        { agent: 'a', paths: ['src/'] },
        { agent: 'b', paths: ['src/a.ts'] },
        { agent: 'c', paths: ['docs/'] },
      ],
    });
    expect(JSON.stringify(planned.structuredContent)).toContain('waves');
    expect(textOf(planned)).toMatch(/wave/i);
  });

  test('waits in its turn', async () => {
    const [one, other] = [await connect('one'), await connect('other')];
    await one.call('claim', { paths: [join(root, 'x')] });
    const waiting = other.call('claim', { paths: [join(root, 'x')], wait_seconds: 20 });
    while ((await claims.waits()).length === 0) await new Promise((done) => setImmediate(done));
    await one.call('release');
    const granted = await within(waiting, () => 'it is never granted');
    expect(granted.structuredContent).toMatchObject({ granted: true, agent: 'other' });
  });

  test.each([
    ['nobody to claim for', () => connect(null), '--agent'],
    ['no folder of claims', () => connect('one', null), '--dir'],
  ])('says what to do where there is %s', async (_, start, advice) => {
    const { call } = await start();
    const answer = await call('claim', { paths: ['/elsewhere/x'] });
    expect(answer.isError).toBe(true);
    expect(textOf(answer)).toContain(advice);
  });

  test('says what to do about a file that is not a valid claim', async () => {
    const { call } = await connect('one');
    mkdirSync(locks, { recursive: true });
    writeFileSync(join(locks, 'bad.lock'), '{');
    const answer = await call('claim', { paths: [join(root, 'x')] });
    expect(answer.isError).toBe(true);
    expect(textOf(answer)).toContain('set-aside');
    expect((await call('claim', { paths: ['/elsewhere/x'] })).isError).toBe(true);
  });
});

test('the resource has all claims, and tells a subscriber of each change', async () => {
  const { client, call } = await connect('one');
  const updated = new Promise<void>((resolve) => {
    client.setNotificationHandler('notifications/resources/updated', () => resolve());
  });
  await client.subscribeResource({ uri: 'holdfast://claims' });
  await call('claim', { paths: [join(root, 'x')] });
  await within(updated, () => 'nothing is told');
  const { contents } = await client.readResource({ uri: 'holdfast://claims' });
  expect((contents[0] as { text: string }).text).toContain('"one"');
  await client.unsubscribeResource({ uri: 'holdfast://claims' });
});
