// @module-tag long
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { describeHolder } from '../../src/base/holder.js';
import { Budget, type Walk } from '../../src/holders/kernel-tables.js';
import { viewKernel } from '../../src/holders/kernel-view.js';
import { parseContent } from '../../src/holders/owner-record.js';
import { FileLock } from '../../src/index.js';
import { call } from '../support/command.js';
import { limit } from '../support/limit.js';
import * as hostile from './fuzz/hostile.js';
import * as records from './fuzz/record.js';

// HOLDFAST_TORTURE, HOLDFAST_FUZZ_SEED: as in fuzz.test.ts.
const torture = process.env['HOLDFAST_TORTURE'] ?? '';
const MINUTES = torture === '' ? 0 : Number(torture) > 1 ? Number(torture) : 3;
const TARGETS = 4;
const MILLISECONDS = (MINUTES * 60_000) / TARGETS;
const SEED = Number(process.env['HOLDFAST_FUZZ_SEED'] ?? Date.now() % 2 ** 31);
// Shared machines stall; what hangs takes longer.
const LONGEST_MILLISECONDS = 10_000;

/** `runs` inputs, or as many as the time allows that was asked for. */
function fuzz<T>(
  title: string,
  runs: number,
  arbitrary: fc.Arbitrary<T>,
  check: (value: T) => unknown,
): void {
  test(
    title,
    async () => {
      let count = 0;
      const property = fc.asyncProperty(arbitrary, async (value) => {
        count++;
        const began = performance.now();
        await check(value);
        expect(performance.now() - began).toBeLessThan(limit(LONGEST_MILLISECONDS));
      });
      await fc.assert(property, {
        seed: SEED,
        numRuns: MINUTES > 0 ? Number.MAX_SAFE_INTEGER : runs,
        interruptAfterTimeLimit: MINUTES > 0 ? MILLISECONDS : 50_000,
        markInterruptAsFailure: false,
      });
      expect(count).toBeGreaterThan(0);
      if (MINUTES > 0) console.log(`fuzz: ${title}: ${count} inputs, seed ${SEED}`);
    },
    MILLISECONDS + 60_000,
  );
}

const specimens = new hostile.Specimens();
afterAll(() => specimens.remove());

/** Runs `look` in a folder with all that, and with a lock that is held. */
async function inFolder(
  entries: [Buffer, hostile.Entry][],
  look: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-'));
  try {
    specimens.fill(folder, entries);
    using _lock = FileLock.acquireSync(join(folder, 'good.lock'), { data: { command: ['a'] } });
    await look(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const FOLDERS = 15;

/** What goes to a terminal can only be read on it. */
function checkPrinted({ code, stdout, stderr }: Awaited<ReturnType<typeof call>>): void {
  expect([0, 65, 73]).toContain(code);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is the point
  expect(stdout).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is the point
  expect(stderr).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/);
}

describe('whatever is in a folder', () => {
  fuzz('status shows it, and the lock that is held', FOLDERS, hostile.folder, (entries) =>
    inFolder(entries, async (folder) => {
      const printed = await call('status', folder);
      checkPrinted(printed);
      expect(printed.stdout).toMatch(/^good\.lock +held +\d+ /m);
      const { stdout } = await call('status', '--json', folder);
      expect(JSON.parse(stdout)).toContainEqual(
        expect.objectContaining({ path: join(folder, 'good.lock'), state: 'held' }),
      );
    }),
  );

  fuzz('elect status shows the member that lives', FOLDERS, hostile.folder, (entries) =>
    inFolder(entries, async (folder) => {
      const printed = await call('elect', 'status', folder);
      checkPrinted(printed);
      expect(printed.stdout).toMatch(/^good +standby +\d+ +\S+ +-$/m);
    }),
  );

  fuzz('claim list shows it', FOLDERS, hostile.folder, (entries) =>
    inFolder(entries, async (folder) => {
      checkPrinted(await call('claim', 'list', '--dir', folder));
    }),
  );
});

describe('whatever /proc says', () => {
  const answers = fc.record({
    texts: fc.array(hostile.anyText, { minLength: 1, maxLength: 40 }),
    lists: fc.array(hostile.anyList, { minLength: 1, maxLength: 10 }),
    record: records.content,
    everyHolder: fc.boolean(),
  });
  fuzz('there is a view of it, or none', 500, answers, ({ texts, lists, record, everyHolder }) => {
    const budget = new Budget(100, 1000);
    const walk = viewKernel('fe:0:77', parseContent(record), { everyHolder, budget });
    const view = answer(walk, texts, lists);
    if (view === null) return;
    expect(view.mode === null).toBe(view.holders.length === 0);
    for (const holder of view.holders) {
      expect(describeHolder(holder)).not.toMatch(/[\p{Cc}\p{Cf}]/u);
      expect(holder.command?.length ?? 0).toBeLessThanOrEqual(200);
    }
    for (const { pid } of view.others) expect(pid === null || pid > 0).toBe(true);
  });
});

/** Each look gets the next answer, up to the length it asked for. */
function answer<R>(walk: Walk<R>, texts: (string | null)[], lists: (string[] | null)[]): R {
  let turn = 0;
  let step = walk.next();
  while (step.done !== true) {
    const { limit } = step.value;
    const from = 'text' in step.value ? texts : lists;
    step = walk.next(from[turn++ % from.length]?.slice(0, limit) ?? null);
  }
  return step.value;
}
