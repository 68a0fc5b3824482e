import { expect, test } from 'vitest';
import { answerTo } from '../../src/agents/answer.js';
import { HOSTS } from '../../src/agents/hosts.js';

const hosts = Object.values(HOSTS);

test.each(hosts)('$name: no answer if there is nothing to say', (host) => {
  const answer = answerTo(host, { kind: 'pass', notice: null });
  expect(answer).toEqual({ stdout: '', stderr: '', status: 0 });
});

test.each(hosts)('$name: it never says "allow"', (host) => {
  const { stdout } = answerTo(host, { kind: 'pass', notice: 'Holdfast: b waits' });
  expect(stdout).not.toContain('allow');
  expect(stdout).not.toContain('permission');
});

test.each(hosts.filter(({ denies }) => denies === 'stderr'))(
  '$name: a refusal is status 2 with a text on standard error, never an empty one',
  (host) => {
    expect(answerTo(host, { kind: 'deny', reason: 'because' })).toEqual({
      stdout: '',
      stderr: 'because\n',
      status: 2,
    });
    expect(answerTo(host, { kind: 'deny', reason: ' ' }).stderr).toMatch(/\w/);
  },
);

test('cursor reads a refusal from standard output', () => {
  const { stdout, status } = answerTo(HOSTS.cursor, { kind: 'deny', reason: 'because' });
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toEqual({
    permission: 'deny',
    user_message: 'because',
    agent_message: 'because',
  });
});

test('a notice is for the models whose hosts pass it on', () => {
  const notice = 'Holdfast: b waits';
  const { stdout } = answerTo(HOSTS.codex, { kind: 'pass', notice });
  expect(JSON.parse(stdout)).toEqual({
    hookSpecificOutput: { hookEventName: 'PreToolUse', additionalContext: notice },
  });
  expect(answerTo(HOSTS.gemini, { kind: 'pass', notice }).stdout).toBe('');
});
