import { basename } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkAgent } from '../../src/claims/claim-file.js';
import {
  type AgentHost,
  agentOf,
  childName,
  findSessionProcess,
  identify,
  nameOf,
} from '../../src/claims/identity.js';
import { ancestorsOf, isBelow } from '../../src/holders/ancestors.js';
import { pair } from '../support/processes.js';

const onLinux = test.runIf(process.platform === 'linux');
const runs = (name: string): AgentHost => ({
  name: `${name}-host`,
  isSession: ({ executable, words }) =>
    basename(executable) === name || basename(words[0] ?? '') === name,
});

describe('the process of a session', () => {
  onLinux('is the nearest one above that is a host’s', async () => {
    const { upper, lower } = await pair();
    expect(findSessionProcess([runs('sh')], lower)).toMatchObject({
      host: 'sh-host',
      mark: { pid: upper.pid },
      isShared: false,
    });
    expect(findSessionProcess([runs('sh'), runs('sleep')], lower)?.mark.pid).toBe(lower);
    expect(findSessionProcess([runs('no-such')], lower)).toBeNull();
    expect(findSessionProcess([], lower)).toBeNull();
  });

  onLinux('may serve several', async () => {
    const { lower } = await pair();
    const shared = { ...runs('sh'), sharesProcess: true };
    expect(findSessionProcess([shared], lower)?.isShared).toBe(true);
    const serving = {
      ...runs('sh'),
      servesSeveral: ({ words }: { words: readonly string[] }) => words.includes('-c'),
    };
    expect(findSessionProcess([serving], lower)?.isShared).toBe(true);
  });

  onLinux('is above what it has started', async () => {
    const { upper, lower } = await pair();
    expect(isBelow(lower, upper.pid)).toBe(true);
    expect(isBelow(lower, process.pid)).toBe(true);
    expect(isBelow(upper.pid, lower)).toBe(false);
    expect(isBelow(lower, lower)).toBe(true);
    expect([...ancestorsOf(lower)].slice(0, 2)).toEqual([upper.pid, process.pid]);
    expect([...ancestorsOf(2 ** 22 + 1)]).toEqual([]);
  });
});

describe('who asks', () => {
  const found = {
    host: 'codex',
    mark: { pid: 4711, start: '5', boot: 'b', namespace: '1' },
    isShared: false,
  };
  const findProcess = () => found;

  test('is --agent, else HOLDFAST_AGENT, else the host and its pid', () => {
    const environment = { HOLDFAST_AGENT: 'env' };
    expect(identify({ agent: 'given', environment, findProcess })?.agent).toBe('given');
    expect(identify({ environment, findProcess })).toEqual({ agent: 'env', process: null });
    const named = identify({ environment: { HOLDFAST_AGENT: '' }, findProcess });
    expect(named).toEqual({ agent: nameOf(found), process: found });
    expect(named?.agent).toMatch(/^codex-4711(-[0-9a-z]{4})?$/);
    expect(identify({ environment: {}, findProcess: () => null })).toBeNull();
  });

  test('is told apart outside of the initial pid namespace', () => {
    const named = (start: string, namespace = '2'): string =>
      nameOf({ host: 'codex', mark: { pid: 1, start, boot: 'b', namespace } }, false);
    expect(named('5')).toMatch(/^codex-1-[0-9a-z]{4}$/);
    expect(named('5')).toBe(named('5'));
    expect(new Set([named('5'), named('6'), named('5', '3')]).size).toBe(3);
    expect(nameOf(found, true)).toBe('codex-4711');
  });

  test('is a child of the session where a host tells its sub-agents', () => {
    const alone = { isShared: false };
    expect(agentOf('x', {}, alone)).toEqual({ agent: 'x', parent: null });
    expect(agentOf('x', { session: 's' }, alone)).toEqual({ agent: 'x', parent: null });
    expect(agentOf('x', { session: 's', subagent: 'a' }, alone)).toEqual({
      agent: 'x.a',
      parent: 'x',
    });
  });

  test('has to name its session where one process serves several', () => {
    const shared = { isShared: true };
    expect(agentOf('x', { session: 's' }, shared)).toEqual({ agent: 'x.s', parent: null });
    expect(agentOf('x', { session: 's', subagent: 'a' }, shared)).toEqual({
      agent: 'x.s.a',
      parent: 'x.s',
    });
    for (const session of [undefined, '']) {
      expect(() => agentOf('x', { session, subagent: 'a' }, shared)).toThrow(
        expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }),
      );
    }
  });
});

describe('the name of a child', () => {
  const ids = [
    '',
    '.',
    '..',
    '/',
    '../x',
    'a/b',
    'a b',
    'a\0b',
    'é',
    'e\u0301',
    '\ud800',
    '😀',
    'CON',
    'x'.repeat(41),
    'x'.repeat(5000),
  ];
  const agents = ['codex-1', 'a.', 'é'.repeat(125), '😀'.repeat(62), 'x'.repeat(250)];

  test('is always one that an agent may have, and another for each id', () => {
    for (const agent of agents) {
      const names = ids.map((id) => childName(agent, id));
      for (const name of names) expect(checkAgent(name, 'agent')).toBe(name);
      expect(new Set(names).size).toBe(ids.length);
      expect(names).not.toContain(agent);
      // Of a child as well.
      for (const name of names) checkAgent(childName(name, 'sub'), 'agent');
    }
  });

  test('shows the id where it can', () => {
    expect(childName('codex-1', '0199a213-81c0-7800-8aa1-bbab2a035a53')).toBe(
      'codex-1.0199a213-81c0-7800-8aa1-bbab2a035a53',
    );
    expect(childName('opencode-1', 'ses_5f3')).toBe('opencode-1.ses_5f3');
  });

  test('differs where the agents differ, however long they are', () => {
    const [one, other] = [`${'x'.repeat(249)}1`, `${'x'.repeat(249)}2`];
    expect(childName(one, 'a')).not.toBe(childName(other, 'a'));
  });

  test('needs an agent that is one', () => {
    expect(() => childName('../x', 'a')).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }),
    );
  });
});
