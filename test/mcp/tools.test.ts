import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { McpClient } from '../support/mcp-client.js';
import { textOf } from '../support/mcp-host.js';
import { McpSetting } from '../support/mcp-setting.js';

describe('what a model is told', () => {
  test('five tools, each with what it takes and gives; those that only read say so', async () => {
    const { client } = new McpSetting();
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
    const { client } = new McpSetting();
    const { instructions } = await client();
    expect(instructions.match(/[.](?: |$)/g)).toHaveLength(2);
    expect(instructions).toMatch(/"claim".*"release"/);
  });
});

describe('release', () => {
  test('gives back some paths, or all', async () => {
    const { claims, client } = new McpSetting();
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
    const { client } = new McpSetting();
    const one = await client();
    for (const args of [{}, { paths: ['src/'] }]) {
      const result = await one.tool('release', args);
      expect(result.isError).toBeFalsy();
      expect(result.structuredContent).toMatchObject({ released: [], scope: [] });
    }
  });
});

test('check says whose each path is, in both forms', async () => {
  const { two } = new McpSetting();
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
  const { root, claims, named } = new McpSetting();
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
  const { claims, client } = new McpSetting();
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
    const { claims, named } = new McpSetting();
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
    const { root, locks } = new McpSetting();
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
    const { locks, named } = new McpSetting();
    const one = await named('one');
    await one.tool('claim', { paths: ['src/'] });
    rmSync(locks, { recursive: true });
    expect((await one.tool('list')).structuredContent.claims).toEqual([]);
    expect((await one.tool('release')).structuredContent).toMatchObject({ released: [] });
    expect((await one.tool('claim', { paths: ['src/'] })).structuredContent.granted).toBe(true);
  });

  test('with a file that is not a valid claim: nothing is granted, and the answer names it', async () => {
    const { locks, named } = new McpSetting();
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
    const { locks, named } = new McpSetting();
    writeFileSync(locks, '');
    const one = await named('one');
    for (const name of ['claim', 'check']) {
      const result = await one.tool(name, { paths: ['src/'] });
      expect(result.isError).toBe(true);
      expect(textOf(result)).toContain('ENOTDIR');
    }
  });
});
