import { mkdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Claims } from '../../src/claims.js';
import { testFolder } from '../support/folder.js';
import { git } from '../support/git.js';
import { McpClient } from '../support/mcp-client.js';
import { textOf } from '../support/mcp-host.js';
import { needs } from '../support/tools.js';

function repository(name: string): string {
  const folder = join(realpathSync(testFolder()), name);
  mkdirSync(join(folder, 'src'), { recursive: true });
  git(folder, 'init', '-q');
  return folder;
}

needs('git')('without a folder, each path is in the claims of its repository', async () => {
  const [here, there] = [repository('here'), repository('there')];
  const one = await McpClient.start({ cwd: join(here, 'src'), args: ['--agent', 'one'] });
  const own = await one.tool('claim', { paths: ['a.ts'] });
  expect(own.structuredContent).toMatchObject({ granted: true, root: here, scope: ['src/a.ts'] });
  const other = await one.tool('claim', { paths: [join(there, 'src/b.ts')] });
  expect(other.structuredContent).toMatchObject({
    granted: true,
    root: there,
    scope: ['src/b.ts'],
  });
  const claims = new Claims(undefined, { root: there });
  expect(await claims.list()).toMatchObject([{ agent: 'one', files: ['src/b.ts'] }]);
  const both = ['a.ts', join(there, 'src/b.ts'), '/nowhere/x'];
  const checked = (await one.tool('check', { paths: both })).structuredContent.verdicts;
  expect(checked.map(({ verdict }: { verdict: string }) => verdict)).toEqual([
    'mine',
    'mine',
    'outside',
  ]);
  const released = (await one.tool('release')).structuredContent.released;
  expect(released.toSorted()).toEqual(['src/a.ts', 'src/b.ts']);
  expect(await claims.list()).toEqual([]);
});

needs('git')('nor is a path in the default folder of another repository', async () => {
  const [here, there] = [repository('here'), repository('there')];
  mkdirSync(join(here, 'sub', 'src'), { recursive: true });
  git(join(here, 'sub'), 'init', '-q');
  const HOLDFAST_CLAIMS = join(here, '.git', 'holdfast', 'claims');
  const one = await McpClient.start({
    cwd: join(here, 'src'),
    args: ['--agent', 'one'],
    env: { HOLDFAST_CLAIMS },
  });
  for (const [path, root, name] of [
    ['a.ts', here, 'src/a.ts'],
    ['../sub/src/b.ts', join(here, 'sub'), 'src/b.ts'],
    [join(there, 'src/c.ts'), there, 'src/c.ts'],
  ] as const) {
    const { structuredContent } = await one.tool('claim', { paths: [path] });
    expect(structuredContent).toMatchObject({ granted: true, root, scope: [name] });
  }
  const { claims } = (await one.tool('list')).structuredContent;
  expect(claims).toMatchObject([{ agent: 'one', scope: ['src/a.ts'] }]);
});

needs('git')('one claim in two repositories cannot be all or none, and says so', async () => {
  const [here, there] = [repository('here'), repository('there')];
  const one = await McpClient.start({ cwd: here, args: ['--agent', 'one'] });
  const result = await one.tool('claim', { paths: ['a.ts', join(there, 'b.ts')] });
  expect(result.isError).toBe(true);
  for (const each of [here, there, 'one call for each']) expect(textOf(result)).toContain(each);
  expect((await one.tool('list')).structuredContent.claims).toEqual([]);
});

test('in no repository and without a folder the answer says what to do', async () => {
  const one = await McpClient.start({ cwd: testFolder() });
  for (const [name, args] of [
    ['claim', { paths: ['a'] }],
    ['list', {}],
  ] as const) {
    const result = await one.tool(name, args);
    expect(result.isError).toBe(true);
    expect(textOf(result)).toContain('--dir');
  }
  const { verdicts } = (await one.tool('check', { paths: ['a'] })).structuredContent;
  expect(verdicts).toMatchObject([{ path: 'a', verdict: 'outside' }]);
});
