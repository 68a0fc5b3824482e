import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { tableLines } from '../../src/cli/table.js';
import { FileLock } from '../../src/index.js';
import { setUp } from '../support/claims-setting.js';
import { COMMAND, finish, onTerminalOf } from '../support/command.js';
import { testFolder } from '../support/folder.js';
import { needs } from '../support/tools.js';

test.each([
  { row: ['src/a.ts', '-', 'unclaimed'] },
  { row: ['a', '', 'with nothing before it', ''] },
  { row: ['漢字', 'é', '…'] },
])('a single row is the same line as in a table: $row', ({ row }) => {
  const [line] = tableLines([row, row]);
  expect(tableLines([row])).toEqual([line]);
});

describe('a table for a terminal', () => {
  const PATH = 'packages/server/src/deeply/nested/client.ts';
  const TASK = 'Implement the client and all that belongs to it';

  test.each([30, 40, 60, 80])('of %d columns fits into it', (width) => {
    const rows = [
      ['AGENT', 'STATE', 'SCOPE', 'TASK'],
      ['api', 'active', PATH, TASK],
      ['tests', 'active', '漢字'.repeat(20), 'é👩'.repeat(20)],
    ];
    const lines = tableLines(rows, width);
    for (const line of lines) expect(columnsOf(line)).toBeLessThanOrEqual(width);
    // Narrow columns stay whole; a path keeps its end, a text its beginning.
    expect(lines[1]).toMatch(/^api +active +…/);
    expect(lines[1]).toMatch(/nt\.ts +Impl[^…]*…$/);
  });

  test('is left alone where it fits, to the column, and where there is no width', () => {
    const rows = [
      ['a', PATH],
      ['b', TASK],
    ];
    const whole = tableLines(rows);
    const width = Math.max(...whole.map((line) => line.length));
    expect(tableLines(rows, width)).toEqual(whole);
    expect(tableLines(rows, width - 1)).not.toEqual(whole);
    expect(tableLines([rows[0] as string[]], 20)).toEqual([`a  …${PATH.slice(-16)}`]);
  });

  test('of a width in which nothing fits is as narrow as it can be', () => {
    for (const width of [0, 1, 5]) {
      expect(tableLines([[PATH, TASK]], width)).toEqual(['….ts  Imp…']);
    }
  });
});

/** East Asian characters and emoji take two. */
function columnsOf(line: string): number {
  return [...line].reduce(
    (sum, each) => sum + (/[\u4e00-\u9fff]|\p{Emoji_Presentation}/u.test(each) ? 2 : 1),
    0,
  );
}

describe('what commands print fits a terminal, and is whole in a pipe', () => {
  const LONG = 'packages/server/src/deeply/nested/folder/client.ts';
  const TASK = 'Implement the client and all that belongs to it';
  const it = needs('python3');

  /** The lines on a terminal of 60 columns, and in a pipe. */
  async function both(...words: string[]): Promise<[narrow: string[], whole: string]> {
    const terminal = onTerminalOf(60, process.execPath, COMMAND, ...words);
    const [shown, piped] = await Promise.all([terminal.exited, finish(words)]);
    return [shown.stdout.trimEnd().split('\r\n'), piped.stdout];
  }

  it('claim list, check and plan', async () => {
    const { folder, directory, put } = setUp();
    put('api', { files: [LONG], task_description: TASK });
    const place = ['--dir', directory, '--root', folder];
    const plan = join(folder, 'plan.json');
    const agents = ['one', 'two', 'three'];
    writeFileSync(plan, JSON.stringify(agents.map((agent) => ({ agent, files: [LONG] }))));
    for (const words of [['list'], ['check', LONG]]) {
      const [narrow, whole] = await both('claim', ...words, ...place);
      for (const line of narrow) expect(line.length).toBeLessThanOrEqual(60);
      expect(narrow.join()).toContain('client.ts');
      expect(whole).toContain(LONG);
      expect(whole).toContain(TASK);
    }
    const [narrow, whole] = await both('claim', 'plan', plan, '--root', folder);
    const matrix = narrow.slice(0, 4);
    for (const line of matrix) expect(line.length).toBeLessThanOrEqual(60);
    expect(whole).toContain(`${LONG} x ${LONG}   both match ${LONG}`);
  });

  it('status', async () => {
    const folder = testFolder();
    mkdirSync(join(folder, 'deeply'));
    const path = join(folder, 'deeply', 'a-lock-with-quite-a-long-name.lock');
    using _lock = FileLock.acquireSync(path, { data: { url: 'http://localhost:3000/app' } });
    const [narrow, whole] = await both('status', path);
    for (const line of narrow) expect(line.length).toBeLessThanOrEqual(60);
    expect(narrow[1]).toContain('.lock');
    expect(whole).toContain(path);
    expect(whole).toContain('url=http://localhost:3000/app');
  });

  it('a plan whose matrix is too wide becomes a list', async () => {
    const plan = join(testFolder(), 'plan.json');
    const agents = Array.from({ length: 8 }, (_, at) => `an-agent-${at}`);
    writeFileSync(plan, JSON.stringify(agents.map((agent) => ({ agent, files: ['a'] }))));
    const [narrow, whole] = await both('claim', 'plan', plan, '--root', '.');
    expect(narrow[0]).toBe('an-agent-0 and an-agent-1: a x a   both match a');
    expect(whole).toMatch(/^ +an-agent-0 +an-agent-1/);
  });
});
