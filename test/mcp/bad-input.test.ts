import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { testFolder } from '../support/folder.js';
import { McpClient } from '../support/mcp-client.js';
import { textOf } from '../support/mcp-host.js';

const start = (): Promise<McpClient> => {
  const root = testFolder();
  return McpClient.start({ cwd: root, args: ['--dir', join(root, 'locks'), '--root', root] });
};
const many = (count: number): string[] => Array.from({ length: count }, (_, at) => `f${at}`);

describe('input that a model can mend is told as a result', () => {
  const cases: [string, string, object, RegExp][] = [
    ['no paths', 'claim', {}, /paths/],
    ['an empty list', 'claim', { paths: [] }, /name at least one path/],
    ['an empty path', 'claim', { paths: [''] }, /must not be empty/],
    ['a path that is no text', 'check', { paths: [5] }, /paths.*string/],
    ['a text instead of a list', 'check', { paths: 'src' }, /paths.*array/],
    ['too long a path', 'claim', { paths: ['x'.repeat(5000)] }, /4096/],
    ['too many paths', 'claim', { paths: many(1001) }, /name their folder/],
    ['NUL', 'claim', { paths: ['a\0b'] }, /NUL/],
    ['.. behind a wildcard', 'claim', { paths: ['*/../x'] }, /wildcard/],
    ['all that is asked is excepted', 'claim', { paths: ['a/b'], except: ['a/'] }, /"except"/],
    ['too long a wait', 'claim', { paths: ['x'], wait_seconds: 601 }, /wait_seconds.*600/],
    ['a negative wait', 'claim', { paths: ['x'], wait_seconds: -1 }, /wait_seconds/],
    ['a misspelled name', 'claim', { paths: ['x'], exept: ['x/y'] }, /exept/],
    // It would release everything.
    ['a wrong name', 'release', { path: ['x'] }, /path/],
    ['no requests', 'plan', { requests: [] }, /at least one agent/],
    ['an agent twice', 'plan', { requests: [{ agent: 'a' }, { agent: 'A' }] }, /unique/],
    ['a bad name', 'plan', { requests: [{ agent: '../a' }] }, /agent/],
  ];

  test('for each of them, and the server lives on', async () => {
    const host = await start();
    for (const [what, tool, args, expected] of cases) {
      const result = await host.tool(tool, args);
      expect({ what, isError: result.isError }).toEqual({ what, isError: true });
      expect(textOf(result), what).toMatch(expected);
      expect(result.structuredContent, what).toBeUndefined();
    }
    expect((await host.tool('list')).structuredContent.claims).toEqual([]);
  });
});

test('an unknown tool is an error of the protocol that names it', async () => {
  const host = await start();
  await expect(host.tool('clam', { paths: ['x'] })).rejects.toThrow(/clam/);
  expect((await host.tool('list')).isError).toBeFalsy();
});

test('a thousand paths, one of them of three thousand characters, are claimed', async () => {
  const host = await start();
  const deep = `${'d/'.repeat(1500)}x`;
  const result = await host.tool('claim', { paths: [...many(999), deep] });
  expect(result.structuredContent.granted).toBe(true);
  expect(textOf(result).length).toBeLessThan(5000);
});
