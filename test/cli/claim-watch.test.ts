import { describe, expect, test } from 'vitest';
import { type ClaimStatus, Claims, type ClaimWait } from '../../src/claims.js';
import { type Board, boardLines, changeLine, changesBetween } from '../../src/cli/claim-board.js';
import { until } from '../support/census.js';
import { claimedTree, status } from '../support/claims-setting.js';
import { COMMAND, onTerminal, start } from '../support/command.js';
import { needs } from '../support/tools.js';

const board = (statuses: ClaimStatus[], waits: ClaimWait[] = []): Board => ({ statuses, waits });
const wait = (agent: string, files: string[], blockedBy: string[]): ClaimWait => ({
  agents: [agent],
  files,
  directories: [],
  since: new Date(),
  task: null,
  blockedBy,
});
const said = (before: Board, after: Board): string[] =>
  changesBetween(before, after).map(changeLine);

describe('what has happened between two looks', () => {
  const one = status('one', ['a', 'b'], { task: 'Work' });
  test.each<[string, Board, Board, string[]]>([
    ['a claim', board([]), board([one]), ['one claimed a (+1) "Work"']],
    ['nothing', board([one]), board([one]), []],
    ['another scope', board([one]), board([{ ...one, files: ['c'] }]), ['one now has c "Work"']],
    ['a release', board([one]), board([]), ['one released a (+1)']],
    ['a death', board([one]), board([{ ...one, state: 'orphaned' }]), ['one died: a (+1) is free']],
    ['what is left is swept', board([{ ...one, state: 'orphaned' }]), board([]), []],
    [
      'an expiry',
      board([one]),
      board([{ ...one, state: 'expired' }]),
      ['one expired: a (+1) is free'],
    ],
    ['an old expired one', board([]), board([{ ...one, state: 'expired' }]), []],
    [
      'an invalid file',
      board([]),
      board([{ ...one, state: 'invalid' }]),
      ['one is not a valid claim'],
    ],
    ['a wait', board([one]), board([one], [wait('two', ['a'], ['one'])]), ['two waits for one: a']],
    [
      'an end of a wait',
      board([one], [wait('two', ['a'], ['one'])]),
      board([one]),
      ['two waits no more: a'],
    ],
    [
      'a grant after a wait',
      board([one], [wait('two', ['a'], ['one'])]),
      board([status('two', ['a'])]),
      ['two claimed a', 'one released a (+1)'],
    ],
  ])('%s', (_, before, after, lines) => {
    expect(said(before, after)).toEqual(lines);
  });

  test('the board shows children below their parents, and what has just happened', () => {
    const child = { ...status('a-child', ['c']), parent: 'one' } as ClaimStatus;
    const lines = boardLines(board([child, one], [wait('two', ['a'], ['one'])]), ['just now']);
    expect(lines.map((line) => line.trim().split(/\s+/)[0])).toEqual([
      expect.stringMatching(/^\d\d:\d\d$/),
      'AGENT',
      'one',
      'a-child',
      '',
      'two',
      '',
      'just',
    ]);
  });
});

describe('holdfast claim watch', () => {
  test('prints an object for each change with --json, and a line without', async () => {
    const { root, locks, args } = claimedTree();
    const claims = new Claims(locks, { root });
    const held = await claims.claim({ agent: 'one', files: ['x'] });
    const json = start(['claim', 'watch', '--json', ...args]);
    const plain = start(['claim', 'watch', ...args]);
    await Promise.all([json.says('"claimed"'), plain.says('one claimed x')]);
    const pending = claims.claim({ agent: 'two', files: ['x'] }, { timeout: 20_000 });
    await Promise.all([json.says('"waits"'), plain.says('two waits for one: x')]);
    await held.release();
    await pending;
    await Promise.all([json.says('"released"'), plain.says('one released x')]);
    const events = json.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(events.slice(0, 2)).toMatchObject([
      { event: 'claimed', agents: ['one'], files: ['x'] },
      { event: 'waits', agents: ['two'], blockedBy: ['one'] },
    ]);
    json.process.kill();
    plain.process.kill();
    await until(() => json.process.exitCode !== null || json.process.signalCode !== null);
  });

  needs('python3')('draws the board on a terminal', async () => {
    const { root, locks, args } = claimedTree();
    const claims = new Claims(locks, { root });
    await claims.claim({ agent: 'one', files: ['x'] });
    const screen = onTerminal(process.execPath, COMMAND, 'claim', 'watch', ...args);
    await screen.says('AGENT');
    await claims.release('one');
    await screen.says('one released x');
    expect(screen.stdout).toContain('no claims');
    screen.process.kill();
  });
});
