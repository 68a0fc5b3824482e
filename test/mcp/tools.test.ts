import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { findSessionProcess } from '../../src/claims/identity.js';
import { Claims } from '../../src/claims.js';
import { AGENT_HOSTS } from '../../src/cli/agent-hosts.js';
import { testFolder } from '../support/folder.js';
import { McpClient } from '../support/mcp-client.js';
import { type ServerSetting, textOf } from '../support/mcp-host.js';

let root = '';
let locks = '';
let claims: Claims;

beforeEach(() => {
  root = testFolder();
  locks = join(root, 'locks');
  claims = new Claims(locks, { root });
  mkdirSync(join(root, 'src/lib'), { recursive: true });
  writeFileSync(join(root, 'src/a.ts'), '');
});

const client = ({ args = [], ...more }: Partial<ServerSetting> = {}): Promise<McpClient> =>
  McpClient.start({ cwd: root, ...more, args: ['--dir', locks, '--root', root, ...args] });
const named = (name: string): Promise<McpClient> => client({ args: ['--agent', name] });
const two = (): Promise<[McpClient, McpClient]> => Promise.all([named('one'), named('other')]);

describe('what a model is told', () => {
  test('five tools, each with what it takes and gives; those that only read say so', async () => {
    const one = await client();
    const tools = await one.tools();
    const reads = tools.map(({ name, annotations }) => [name, annotations.readOnlyHint]);
    expect(Object.fromEntries(reads)).toEqual({
      claim: false,
      release: false,
      check: true,
      list: true,
      plan: true,
    });
    const inputs = tools.map(({ name, inputSchema }) => [
      name,
      Object.keys(inputSchema.properties),
    ]);
    expect(Object.fromEntries(inputs)).toEqual({
      claim: ['paths', 'except', 'task', 'wait_seconds'],
      release: ['paths'],
      check: ['paths'],
      list: [],
      plan: ['requests'],
    });
    expect(tools.find(({ name }) => name === 'claim')?.inputSchema.required).toEqual(['paths']);
    for (const { description, outputSchema } of tools) {
      expect(description).not.toBe('');
      expect(Object.keys(outputSchema.properties)).not.toEqual([]);
    }
  });

  test('instructions of two sentences', async () => {
    const { instructions } = await client();
    expect(instructions.match(/[.](?: |$)/g)).toHaveLength(2);
    expect(instructions).toMatch(/"claim".*"release"/);
  });
});

describe('claim', () => {
  test('grants, and says the same as text and as fields', async () => {
    const one = await client();
    const result = await one.tool('claim', { paths: ['src/lib', 'src/a.ts'], task: 'the library' });
    expect(result.isError).toBeFalsy();
    const { structuredContent } = result;
    expect(structuredContent).toMatchObject({ granted: true, conflicts: [] });
    expect(structuredContent.scope).toEqual(['src/lib/', 'src/a.ts']);
    for (const each of [structuredContent.agent, ...structuredContent.scope]) {
      expect(textOf(result)).toContain(each);
    }
    expect(await claims.list()).toMatchObject([
      { agent: structuredContent.agent, state: 'active', task: 'the library' },
    ]);
  });

  test('takes the name and the pid of the program that started the server', async () => {
    const one = await client();
    const { structuredContent } = await one.tool('claim', { paths: ['x'] });
    // If the tests run below a program that runs agents, it is that one.
    const above = findSessionProcess(AGENT_HOSTS);
    const [host, pid] = [above?.host ?? 'node', above?.mark.pid ?? process.pid];
    expect(structuredContent.agent).toMatch(new RegExp(`^${host}-${pid}(-\\w{4})?$`));
    expect(await claims.list()).toMatchObject([{ session: { pid } }]);
  });

  test('takes the name from --agent, else from HOLDFAST_AGENT', async () => {
    const environment = { HOLDFAST_AGENT: 'variable' };
    const both = await client({ args: ['--agent', 'option'], env: environment });
    const one = await client({ env: environment });
    for (const [each, name] of [
      [both, 'option'],
      [one, 'variable'],
    ] as const) {
      expect((await each.tool('list')).structuredContent.agent).toBe(name);
    }
  });

  test('a refusal is a result, with who has what and what can be done', async () => {
    const [one, other] = await two();
    await other.tool('claim', { paths: ['src/'], task: 'move it all' });
    const result = await one.tool('claim', { paths: ['src/lib/*.ts', 'docs/'] });
    expect(result.isError).toBeFalsy();
    const [conflict] = result.structuredContent.conflicts;
    expect(result.structuredContent).toMatchObject({ granted: false, agent: 'one', scope: [] });
    expect(conflict).toMatchObject({ with: 'other', theirs: 'src/', task: 'move it all' });
    expect(conflict.path).toMatch(/^src\/lib\/.*\.ts$/);
    const kinds = conflict.resolutions.map(({ kind }: { kind: string }) => kind);
    expect(kinds).toContain('sequential');
    const text = textOf(result);
    const facts = [conflict.path, 'other', 'src/', 'move it all', 'wait_seconds'];
    for (const each of [...facts, conflict.resolutions[0].text]) expect(text).toContain(each);
    // All or nothing.
    expect((await claims.check(['docs/x'])).map(({ verdict }) => verdict)).toEqual(['unclaimed']);
  });

  test('adds to what the agent has', async () => {
    const one = await client();
    await one.tool('claim', { paths: ['src/'], except: ['src/gen/'] });
    const { structuredContent } = await one.tool('claim', { paths: ['src/gen/a.ts', 'b.ts'] });
    expect(structuredContent.granted).toBe(true);
    const { verdicts } = (
      await one.tool('check', { paths: ['src/x', 'src/gen/a.ts', 'src/gen/b.ts', 'b.ts'] })
    ).structuredContent;
    expect(verdicts.map(({ verdict }: { verdict: string }) => verdict)).toEqual([
      'mine',
      'mine',
      'unclaimed',
      'mine',
    ]);
  });

  test('eight at once are all granted, and nothing is lost', async () => {
    const one = await client();
    const paths = Array.from({ length: 8 }, (_, at) => `file-${at}`);
    const results = await Promise.all(paths.map((path) => one.tool('claim', { paths: [path] })));
    expect(results.every(({ structuredContent }) => structuredContent.granted)).toBe(true);
    const { structuredContent } = await one.tool('list');
    expect(structuredContent.claims[0].scope.toSorted()).toEqual(paths);
  });

  test('paths are relative to the working directory of the server, or absolute', async () => {
    const one = await client({ cwd: join(root, 'src') });
    const { structuredContent } = await one.tool('claim', {
      paths: ['a.ts', '../docs/', join(root, 'x.ts')],
    });
    expect(structuredContent.scope.toSorted()).toEqual(['docs/', 'src/a.ts', 'x.ts']);
  });

  test('waits, tells of it, and is granted when the other one lets go', async () => {
    const [one, other] = await two();
    await other.tool('claim', { paths: ['src/'] });
    const asked = { paths: ['src/a.ts'], wait_seconds: 60 };
    const { said, result } = await one.waiting('claim', asked);
    expect(said).toMatchObject({ total: 60, message: 'waiting for other' });
    // Other calls are answered meanwhile.
    expect((await one.tool('list')).structuredContent.claims).toHaveLength(1);
    await other.tool('release');
    expect((await result).structuredContent).toMatchObject({
      granted: true,
      scope: ['src/a.ts'],
    });
  });

  test('that would wait for one who waits for it is refused at once, and says so', async () => {
    const [one, other] = await two();
    await one.tool('claim', { paths: ['a'] });
    await other.tool('claim', { paths: ['b'] });
    const { result: first } = await one.waiting('claim', { paths: ['b'], wait_seconds: 60 });
    const second = await other.tool('claim', { paths: ['a'], wait_seconds: 60 });
    expect(second.structuredContent).toMatchObject({ granted: false, circle: ['other', 'one'] });
    expect(textOf(second)).toContain('other waits for one waits for other');
    const { claims: all } = (await other.tool('list')).structuredContent;
    expect(all).toMatchObject([{ agent: 'one' }, { agent: 'other', waiters: ['one'] }]);
    await other.tool('release');
    expect((await first).structuredContent).toMatchObject({ granted: true, scope: ['a', 'b'] });
  });

  test('is refused when the time is up', async () => {
    const [one, other] = await two();
    await other.tool('claim', { paths: ['src/'] });
    const result = await one.tool('claim', { paths: ['src/a.ts'], wait_seconds: 0.2 });
    expect(result.structuredContent).toMatchObject({
      granted: false,
      conflicts: [{ with: 'other' }],
    });
  });

  test('that the host has cancelled claims nothing', async () => {
    const [one, other] = await two();
    await other.tool('claim', { paths: ['src/'] });
    const abort = new AbortController();
    const asked = { paths: ['src/a.ts'], wait_seconds: 60 };
    const { result } = await one.waiting('claim', asked, { signal: abort.signal });
    abort.abort();
    await expect(result).rejects.toThrow();
    await other.tool('release');
    expect((await one.tool('list')).structuredContent.claims).toEqual([]);
  });

  test('tells of a wait every five seconds', { tags: ['long'] }, async () => {
    const [one, other] = await two();
    await other.tool('claim', { paths: ['src/'] });
    const times: number[] = [];
    const result = await one.tool(
      'claim',
      { paths: ['src/a.ts'], wait_seconds: 11 },
      { onprogress: ({ progress }) => times.push(progress) },
    );
    expect(times.map(Math.round)).toEqual([0, 5, 10]);
    expect(result.structuredContent.granted).toBe(false);
  });
});

describe('release', () => {
  test('gives back some paths, or all', async () => {
    const one = await client();
    await one.tool('claim', { paths: ['src/', 'docs/', 'x.ts'] });
    const some = await one.tool('release', { paths: ['docs/', 'src/lib/'] });
    expect(some.structuredContent.released).toEqual(['docs/', 'src/lib/']);
    expect(some.structuredContent.scope.toSorted()).toEqual(['src/', 'x.ts']);
    const paths = ['src/a.ts', 'src/lib/b.ts', 'docs/c'];
    const { verdicts } = (await one.tool('check', { paths })).structuredContent;
    expect(verdicts.map(({ verdict }: { verdict: string }) => verdict)).toEqual([
      'mine',
      'unclaimed',
      'unclaimed',
    ]);
    const all = await one.tool('release');
    expect(all.structuredContent.scope).toEqual([]);
    expect(textOf(all)).toContain('x.ts');
    expect(await claims.list()).toEqual([]);
  });

  test('of nothing is an answer, not an error', async () => {
    const one = await client();
    for (const args of [{}, { paths: ['src/'] }]) {
      const result = await one.tool('release', args);
      expect(result.isError).toBeFalsy();
      expect(result.structuredContent).toMatchObject({ released: [], scope: [] });
    }
  });
});

test('check says whose each path is, in both forms', async () => {
  const [one, other] = await two();
  await other.tool('claim', { paths: ['src/lib/'], task: 'the library' });
  await one.tool('claim', { paths: ['src/a.ts'] });
  const result = await one.tool('check', { paths: ['src/a.ts', 'src/lib/b.ts', 'src/c.ts'] });
  expect(result.structuredContent.verdicts).toEqual([
    {
      path: 'src/a.ts',
      verdict: 'mine',
      owner: 'one',
      entry: 'src/a.ts',
      task: null,
      notice: null,
    },
    {
      path: 'src/lib/b.ts',
      verdict: 'other',
      owner: 'other',
      entry: 'src/lib/',
      task: 'the library',
      notice: null,
    },
    { path: 'src/c.ts', verdict: 'unclaimed', owner: null, entry: null, task: null, notice: null },
  ]);
  expect(textOf(result)).toMatch(/src\/lib\/b\.ts: do not change it; other .*the library/);
  expect(textOf(result).split('\n')).toHaveLength(3);
});

test('list shows all claims and whose they are', async () => {
  const one = await named('one');
  await claims.claim({ agent: 'hand', files: ['x'], taskDescription: 'by hand' });
  await one.tool('claim', { paths: ['src/'] });
  const result = await one.tool('list');
  expect(result.structuredContent).toMatchObject({
    agent: 'one',
    root,
    claims: [
      { agent: 'hand', state: 'active', scope: ['x'], task: 'by hand', waiters: [] },
      { agent: 'one', state: 'active', scope: ['src/'] },
    ],
  });
  for (const each of ['hand', 'by hand', 'one (you)']) expect(textOf(result)).toContain(each);
});

test('plan says who can work at the same time, and claims nothing', async () => {
  const one = await client();
  const requests = [
    { agent: 'api', paths: ['src/'] },
    { agent: 'docs', paths: ['docs/'] },
    { agent: 'lib', paths: ['src/lib/*.ts'], task: 'the library' },
    { agent: 'reviewer' },
  ];
  const result = await one.tool('plan', { requests });
  expect(result.structuredContent).toMatchObject({
    waves: [['api', 'docs', 'reviewer'], ['lib']],
    conflicts: [{ agents: ['api', 'lib'], entries: ['src/', 'src/lib/*.ts'] }],
  });
  const [{ resolutions }] = result.structuredContent.conflicts;
  for (const each of ['wave 2: lib', resolutions[0].text]) expect(textOf(result)).toContain(each);
  expect(await claims.list()).toEqual([]);
});

describe('the resource of all claims', () => {
  const URI = 'holdfast://claims';

  test('is JSON, and changes are told to those who subscribed', async () => {
    const one = await named('one');
    expect(await one.resources()).toMatchObject([{ uri: URI }]);
    await one.subscribe(URI);
    await claims.claim({ agent: 'hand', files: ['x'] });
    await one.updated();
    const text = await one.read(URI);
    expect(JSON.parse(text)).toMatchObject({ claims: [{ agent: 'hand', scope: ['x'] }] });
    await claims.release('hand');
    await one.updated();
  });

  test('also by the revision 2026-07-28, where the tools are the same', async () => {
    const args = ['--dir', locks, '--root', root, '--agent', 'one'];
    const one = await McpClient.start({ cwd: root, args }, '2026-07-28');
    await one.listen(URI);
    const result = await one.tool('claim', { paths: ['src/'] });
    expect(result.structuredContent).toMatchObject({ granted: true, scope: ['src/'] });
    await one.updated();
    expect(JSON.parse(await one.read(URI))).toMatchObject({ claims: [{ agent: 'one' }] });
  });
});

describe('the folder of the claims', () => {
  test('may vanish at any time', async () => {
    const one = await named('one');
    await one.tool('claim', { paths: ['src/'] });
    rmSync(locks, { recursive: true });
    expect((await one.tool('list')).structuredContent.claims).toEqual([]);
    expect((await one.tool('release')).structuredContent).toMatchObject({ released: [] });
    expect((await one.tool('claim', { paths: ['src/'] })).structuredContent.granted).toBe(true);
  });

  test('with a file that is no valid claim: nothing is granted, and the answer names it', async () => {
    const one = await named('one');
    mkdirSync(locks);
    writeFileSync(join(locks, 'broken.lock'), '{');
    const result = await one.tool('claim', { paths: ['src/'] });
    expect(result.isError).toBe(true);
    expect(textOf(result)).toContain(join(locks, 'broken.lock'));
    const list = await one.tool('list');
    expect(list.structuredContent.claims).toMatchObject([{ agent: 'broken', state: 'invalid' }]);
  });

  test('that is a file is told, and the server lives on', async () => {
    writeFileSync(locks, '');
    const one = await named('one');
    for (const name of ['claim', 'check']) {
      const result = await one.tool(name, { paths: ['src/'] });
      expect(result.isError).toBe(true);
      expect(textOf(result)).toContain('ENOTDIR');
    }
  });
});
