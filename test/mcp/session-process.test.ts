import { expect, test } from 'vitest';
import { isRunner, sessionProcess } from '../../src/mcp/session-process.js';

test.each([
  [['sh', '-c', 'holdfast mcp']],
  [['/bin/bash', '-lc', 'holdfast mcp']],
  [['bash', 'start.sh']],
  [['npm exec holdfast mcp']],
  [['node', '/usr/lib/node_modules/npm/bin/npx-cli.js', 'holdfast', 'mcp']],
  [['/usr/bin/env', 'node', 'x.js']],
])('%j starts others', (words) => {
  expect(isRunner(words)).toBe(true);
});

test.each([
  [[]],
  [['bash']],
  [['-zsh']],
  [['bash', '-i']],
  [['codex', 'exec', '--json']],
  [['node', '/usr/lib/node_modules/@google/gemini-cli/dist/index.js']],
  [['claude']],
])('%j may be a session', (words) => {
  expect(isRunner(words)).toBe(false);
});

test('a parent that is no runner is the session', () => {
  expect(sessionProcess(process.pid)).toBe(process.pid);
});
