// @module-tag long
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { Election } from '../../src/election.js';
import { testFolder } from '../support/folder.js';
import { Program } from '../support/program.js';

const HOST = fileURLToPath(new URL('../../examples/plugin-host/host.mjs', import.meta.url));
const IDS = ['plugin-1', 'plugin-2', 'plugin-3', 'plugin-4'];
/** That it goes on at all, on a machine that has a lot to do; it is milliseconds. */
const BOUND_MILLISECONDS = 1000;

function host(...args: string[]): Program {
  return Program.start(process.execPath, [HOST, ...args]);
}

/** What is there once somebody has looked, who also clears away what the dead left. */
async function leftIn(folder: string): Promise<string[]> {
  const directory = join(folder, 'memory/.plugin-instances');
  // The last primary may have looked while one that was killed was still dying:
  // its seat was free, its own file not yet.
  const late = await Election.join(directory);
  late.members();
  await late.leave();
  return readdirSync(directory);
}

interface Line {
  tick: number;
  id: string;
  term: number;
  time: number;
}

function readLog(folder: string): Line[] {
  const text = readFileSync(join(folder, 'plugin.log'), 'utf8');
  expect(text.endsWith('\n')).toBe(true);
  return text
    .slice(0, -1)
    .split('\n')
    .map((line) => {
      const [, tick, id = '', term, time] = /^(\d+) (\S+) (\d+) ([\d.]+)$/.exec(line) ?? [];
      return { tick: Number(tick), id, term: Number(term), time: Number(time) };
    });
}

/** The terms, in the order of the log, each with its one primary. */
function termsOf(lines: Line[]): { term: number; id: string; lines: Line[] }[] {
  const terms: { term: number; id: string; lines: Line[] }[] = [];
  for (const line of lines) {
    const last = terms.at(-1);
    if (last?.term === line.term) last.lines.push(line);
    else terms.push({ term: line.term, id: line.id, lines: [line] });
  }
  return terms;
}

/** What must be in a folder in which a host has run to its end. */
async function expectOneLog(folder: string): Promise<void> {
  const lines = readLog(folder);
  expect(lines.map(({ tick }) => tick)).toEqual(lines.map((_, at) => at + 1));
  const terms = termsOf(lines);
  expect(terms.map(({ id }) => id).sort()).toEqual(IDS);
  for (const [at, { term, id, lines }] of terms.entries()) {
    expect(new Set(lines.map((line) => line.id))).toEqual(new Set([id]));
    const before = terms[at - 1];
    if (before === undefined) continue;
    expect(term).toBeGreaterThan(before.term);
    const gap = (lines[0]?.time ?? 0) - (before.lines.at(-1)?.time ?? 0);
    expect(gap).toBeLessThan(BOUND_MILLISECONDS);
  }
  // No file of a member is left, of those that were killed neither.
  expect(await leftIn(folder)).toEqual(['.primary']);
}

const modes = [
  { name: 'four threads', words: [] },
  { name: 'four processes', words: ['--processes'] },
];

describe.each(modes)('the plugin host with $name', ({ name, words }) => {
  test('has each tick in the log once, however often the primary is killed', async () => {
    const folder = testFolder();
    const { code, stdout, stderr } = await host(folder, ...words).exited;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    await expectOneLog(folder);

    const [first, ...said] = stdout.split('\n');
    expect(first).toBe(`${name.replace('four', '4')}: ${IDS.join(', ')}`);
    const terms = termsOf(readLog(folder));
    const turns = terms.flatMap(({ id, term }) => [
      `${id} is primary, term ${term}`,
      `${id} is killed`,
    ]);
    // The last one is not killed.
    expect(said.slice(0, 7)).toEqual(turns.slice(0, 7));
    const { length } = readLog(folder);
    expect(said[7]).toBe(`${length} ticks, ${length} lines: 0 twice, 0 missing`);
  });

  test('starts again after kill -9 of the host', async () => {
    const folder = testFolder();
    const killed = host(folder, ...words);
    await killed.says(' is killed\n');
    await killed.kill('SIGKILL');
    const { code, stderr } = await host(folder, ...words).exited;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    await expectOneLog(folder);
  });

  test('fails where the instances cannot join', async () => {
    const folder = testFolder();
    mkdirSync(join(folder, 'memory'));
    writeFileSync(join(folder, 'memory/.plugin-instances'), 'precious\n');
    const { code, stderr } = await host(folder, ...words).exited;
    expect(code).toBe(1);
    expect(stderr).toContain('host: error: ');
    expect(readFileSync(join(folder, 'memory/.plugin-instances'), 'utf8')).toBe('precious\n');
  });
});

describe('the plugin host', () => {
  test.each([[], ['one', 'two'], ['one', '--fast']])('wants one folder: %j', async (...words) => {
    const { code, stderr } = await host(...words.flat()).exited;
    expect(code).toBe(64);
    expect(stderr).toContain('usage: ');
  });
});
