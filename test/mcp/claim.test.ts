import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { findSessionProcess } from '../../src/claims/identity.js';
import { AGENT_HOSTS } from '../../src/cli/agent-hosts.js';
import { textOf } from '../support/mcp-host.js';
import { McpSetting } from '../support/mcp-setting.js';

describe('claim', () => {
  test('grants, and says the same as text and as fields', async () => {
    const { claims, client } = new McpSetting();
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
    const { claims, client } = new McpSetting();
    const one = await client();
    const { structuredContent } = await one.tool('claim', { paths: ['x'] });
    // If the tests run below a program that runs agents, it is that one.
    const above = findSessionProcess(AGENT_HOSTS);
    const [host, pid] = [above?.host ?? 'node', above?.mark.pid ?? process.pid];
    expect(structuredContent.agent).toMatch(new RegExp(`^${host}-${pid}(-\\w{4})?$`));
    expect(await claims.list()).toMatchObject([{ session: { pid } }]);
  });

  test('takes the name from --agent, else from HOLDFAST_AGENT', async () => {
    const { client } = new McpSetting();
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
    const { claims, two } = new McpSetting();
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
    const { client } = new McpSetting();
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
    const { client } = new McpSetting();
    const one = await client();
    const paths = Array.from({ length: 8 }, (_, at) => `file-${at}`);
    const results = await Promise.all(paths.map((path) => one.tool('claim', { paths: [path] })));
    expect(results.every(({ structuredContent }) => structuredContent.granted)).toBe(true);
    const { structuredContent } = await one.tool('list');
    expect(structuredContent.claims[0].scope.toSorted()).toEqual(paths);
  });

  test('paths are relative to the working directory of the server, or absolute', async () => {
    const { root, client } = new McpSetting();
    const one = await client({ cwd: join(root, 'src') });
    const { structuredContent } = await one.tool('claim', {
      paths: ['a.ts', '../docs/', join(root, 'x.ts')],
    });
    expect(structuredContent.scope.toSorted()).toEqual(['docs/', 'src/a.ts', 'x.ts']);
  });

  test('waits, tells of it, and is granted when the other one lets go', async () => {
    const { two } = new McpSetting();
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
    const { two } = new McpSetting();
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
    const { two } = new McpSetting();
    const [one, other] = await two();
    await other.tool('claim', { paths: ['src/'] });
    const result = await one.tool('claim', { paths: ['src/a.ts'], wait_seconds: 0.2 });
    expect(result.structuredContent).toMatchObject({
      granted: false,
      conflicts: [{ with: 'other' }],
    });
  });

  test('that the host has cancelled claims nothing', async () => {
    const { two } = new McpSetting();
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
    const { two } = new McpSetting();
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
