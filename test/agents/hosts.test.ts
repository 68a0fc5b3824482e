import { describe, expect, test } from 'vitest';
import { HOSTS, type HostName, hostOf } from '../../src/agents/hosts.js';

function named(executable: string, ...words: string[]): HostName | undefined {
  return hostOf({ executable, words: words.length === 0 ? [executable] : words })?.name;
}

describe('the process of a session', () => {
  test.each<[HostName, string, string[]]>([
    ['codex', '/m/@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/codex/codex', []],
    ['codex', '/usr/local/bin/codex-x86_64-unknown-linux-musl', []],
    ['gemini', '/usr/bin/node', ['/usr/bin/node', '--max-old-space-size=8192', '/usr/bin/gemini']],
    ['gemini', '/usr/bin/node', ['node', '-r', 'x.js', '/m/@google/gemini-cli/bundle/gemini.js']],
    ['opencode', '/m/opencode-linux-x64/bin/opencode', ['opencode', 'run', 'x']],
    ['claude-code', '/home/a/.local/share/claude/versions/2.1.9', ['claude']],
    ['claude-code', '/usr/bin/node', ['node', '/m/@anthropic-ai/claude-code/cli.js']],
    ['claude-code', '/usr/bin/node', ['claude']],
    ['cursor', '/opt/cursor/cursor', []],
  ])('%s: %s', (name, executable, words) => {
    expect(named(executable, ...words)).toBe(name);
  });

  test.each([
    // npm's wrapper waits for the real one, and a signal can end it alone.
    ['/usr/bin/node', ['node', '/m/@openai/codex/bin/codex.js']],
    ['/usr/bin/bash', ['bash', '-c', 'codex exec x']],
    ['/usr/bin/python3', ['python3', 'gemini']],
    ['/usr/bin/vim', ['vim', 'claude']],
    ['/usr/bin/node', ['node', '-e', 'codex']],
    ['', []],
  ])('none: %s %j', (executable, words) => {
    expect(named(executable, ...words)).toBeUndefined();
  });

  test('one that serves several sessions', () => {
    const serves = (name: HostName, ...words: string[]) =>
      HOSTS[name].servesSeveral({ executable: words[0] as string, words });
    expect(serves('opencode', 'opencode', 'serve')).toBe(true);
    expect(serves('opencode', 'opencode', 'run', 'serve')).toBe(false);
    expect(serves('codex', 'codex', 'app-server')).toBe(true);
    expect(serves('codex', 'codex', 'exec', '--json')).toBe(false);
    expect(serves('cursor', 'cursor')).toBe(true);
  });
});
