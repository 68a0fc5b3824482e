import { mkdirSync, realpathSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { HOSTS } from '../../src/agents/hosts.js';
import { readInput } from '../../src/agents/input.js';
import { bothReadings, patchedPaths } from '../../src/agents/patch.js';
import { testFolder } from '../support/folder.js';
import { limit } from '../support/limit.js';

const { codex, cursor, gemini, 'claude-code': claude } = HOSTS;

function codexCall(tool: string, input: unknown, more: object = {}): string {
  return JSON.stringify({
    session_id: 's-1',
    turn_id: 't-1',
    transcript_path: null,
    cwd: '/repo/src',
    hook_event_name: 'PreToolUse',
    model: 'm',
    permission_mode: 'bypassPermissions',
    tool_name: tool,
    tool_input: input,
    tool_use_id: 'call_1',
    ...more,
  });
}

const PATCH = `*** Begin Patch
*** Add File: new.ts
+export {};
*** Update File: old name.ts
*** Move to: ../moved.ts
@@
-a
+b
*** Delete File: /abs/gone.ts
*** End Patch`;

describe('what a host says it is about to write', () => {
  test('a patch names every file that it adds, changes, deletes or moves to', () => {
    expect(readInput(codexCall('apply_patch', { command: PATCH }), codex)).toEqual({
      kind: 'write',
      paths: ['/repo/src/new.ts', '/repo/src/old name.ts', '/repo/moved.ts', '/abs/gone.ts'],
      session: 's-1',
      subagent: null,
      cwd: '/repo/src',
    });
  });

  test('a patch with CRLF names the same files', () => {
    expect(patchedPaths(PATCH.replaceAll('\n', '\r\n'))).toEqual(patchedPaths(PATCH));
  });

  test('content of a patch that looks like a name does not count', () => {
    expect(patchedPaths('*** Add File: a\n+*** Add File: b\n-*** Delete File: c')).toEqual(['a']);
  });

  test.each([
    '  *** Update File: x y.ts',
    '\t*** Update File: x y.ts',
    '*** Update File:x y.ts',
    '*** Update File:   x y.ts  ',
    '*** Move to:\tx y.ts\r',
  ])('hosts take %j as well', (line) => {
    expect(patchedPaths(`*** Begin Patch\n*** Add File: a\n+b\n${line}\n@@`)).toEqual([
      'a',
      'x y.ts',
    ]);
  });

  test('a long line of blanks takes no time', () => {
    const began = Date.now();
    patchedPaths(`${' '.repeat(300_000)}x\n*** Add File: a${' '.repeat(300_000)}b`);
    expect(Date.now() - began).toBeLessThan(limit(1000));
  });

  test('a path that leads elsewhere for the kernel is both', () => {
    const root = realpathSync(testFolder());
    mkdirSync(join(root, 'deep', 'er'), { recursive: true });
    symlinkSync(join('deep', 'er'), join(root, 'dl'));
    expect(bothReadings('dl/../../x.ts', root)).toEqual([
      join(root, '..', 'x.ts'),
      join(root, 'x.ts'),
    ]);
    expect(bothReadings('deep/../x.ts', root)).toEqual([join(root, 'x.ts')]);
  });

  test.each([
    [claude, 'Write', { file_path: '/repo/a.ts', content: '' }, ['/repo/a.ts']],
    [claude, 'NotebookEdit', { notebook_path: '/repo/a.ipynb' }, ['/repo/a.ipynb']],
    [gemini, 'write_file', { file_path: 'a.ts', content: '' }, ['/repo/src/a.ts']],
    [gemini, 'replace', { file_path: './b/../a.ts' }, ['/repo/src/a.ts']],
    [cursor, 'Write', { path: 'a.ts' }, ['/repo/src/a.ts']],
  ])(
    '%#: the path is absolute, from the working directory of the tool',
    (host, tool, input, paths) => {
      const text = JSON.stringify({
        session_id: 's',
        cwd: '/repo/src',
        hook_event_name: host.events.tool,
        tool_name: tool,
        tool_input: input,
      });
      expect(readInput(text, host)).toMatchObject({ kind: 'write', paths });
    },
  );

  test('a shell command runs where the tool says', () => {
    const given = { command: 'git stash', dir_path: 'sub' };
    const text = JSON.stringify({
      cwd: '/repo',
      hook_event_name: 'BeforeTool',
      tool_name: 'run_shell_command',
      tool_input: given,
    });
    expect(readInput(text, gemini)).toMatchObject({
      kind: 'shell',
      command: 'git stash',
      cwd: '/repo/sub',
    });
  });

  test('a sub-agent is told apart from its session', () => {
    const read = readInput(
      codexCall('apply_patch', { command: PATCH }, { agent_id: 'a-7' }),
      codex,
    );
    expect(read).toMatchObject({ session: 's-1', subagent: 'a-7' });
  });

  test('Cursor names the session and the folder in its own way', () => {
    const text = JSON.stringify({
      conversation_id: 'c-1',
      workspace_roots: ['/repo'],
      hook_event_name: 'preToolUse',
      tool_name: 'Delete',
      tool_input: { path: 'a.ts' },
    });
    expect(readInput(text, cursor)).toMatchObject({ session: 'c-1', paths: ['/repo/a.ts'] });
  });

  test('the ends of a session and of a sub-agent', () => {
    const end = (event: string) =>
      JSON.stringify({ session_id: 's', cwd: '/repo', hook_event_name: event, agent_id: 'a' });
    expect(readInput(end('SessionEnd'), claude)).toMatchObject({ kind: 'session-end' });
    expect(readInput(end('SubagentStop'), claude)).toMatchObject({
      kind: 'subagent-end',
      subagent: 'a',
    });
  });

  test('a tool that does not write, and any other event, is nothing', () => {
    expect(readInput(codexCall('mcp__x__y', {}), codex)).toEqual({ kind: 'nothing' });
    expect(readInput(codexCall('Read', null), codex)).toEqual({ kind: 'nothing' });
    const other = JSON.stringify({ hook_event_name: 'PostToolUse', tool_name: 'Write' });
    expect(readInput(other, claude)).toEqual({ kind: 'nothing' });
    expect(readInput(codexCall('constructor', {}), codex)).toEqual({ kind: 'nothing' });
  });
});

describe('input that is not understood has a reason and does not throw', () => {
  const patch = (command: unknown) => codexCall('apply_patch', { command });
  test.each([
    ['nothing', ''],
    ['white space', ' \n'],
    ['no JSON', '{"a":'],
    ['a list', '[]'],
    ['null', 'null'],
    ['a number', '7'],
    ['binary', '\u0000\u0001\ufffd'],
    ['no tool', '{"hook_event_name":"PreToolUse"}'],
    ['a tool that is no string', '{"tool_name":7}'],
    ['an event that is no string', '{"hook_event_name":7,"tool_name":"apply_patch"}'],
    ['no input', codexCall('apply_patch', undefined)],
    ['a list as input', codexCall('apply_patch', [])],
    ['no patch', patch(undefined)],
    ['a patch that is no string', patch({})],
    ['a patch that names no file', patch('*** Begin Patch\n*** End Patch')],
    ['a path that is no string', codexCall('Write', { file_path: 7 })],
    ['an empty path', codexCall('Write', { file_path: '' })],
    ['a path with a NUL', codexCall('Write', { file_path: 'a\0b' })],
    ['no path', codexCall('Write', {})],
    ['a shell without a command', codexCall('Bash', {})],
    ['a folder that is no string', codexCall('Write', { file_path: 'a' }, { cwd: 7 })],
    ['a session that is no string', codexCall('Write', { file_path: 'a' }, { session_id: {} })],
    ['a sub-agent that is no string', codexCall('Write', { file_path: 'a' }, { agent_id: [] })],
  ])('%s', (_, text) => {
    const read = readInput(text, codex);
    expect(read).toMatchObject({ kind: 'unreadable', reason: expect.stringMatching(/./) });
  });
});
