import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test, vi } from 'vitest';
import { oneTo, randomFrom } from '../support/next-id-program.js';
import { Program } from '../support/program.js';
import { inTwoSizes } from '../support/sizes.js';
import { litterIn, targetFile } from '../support/update.js';

vi.setConfig({ testTimeout: 120_000 });

const WORKER = fileURLToPath(new URL('../support/update-worker.mjs', import.meta.url));

type Counts = Record<string, number>;

function worker(path: string, name: string, times: number, options: object = {}): Program {
  return Program.start(process.execPath, [WORKER, path, name, `${times}`, JSON.stringify(options)]);
}

const read = (path: string): Counts => JSON.parse(readFileSync(path, 'utf8'));

/** Resolves once the worker has said `count` updates, or has ended. */
async function said(program: Program, count: number): Promise<void> {
  await Promise.race([program.says('+'.repeat(count)), program.exited]);
}

describe('a counter that processes add to', () => {
  inTwoSizes(
    ({ workers, times, kills }) =>
      `${workers} × ${times} with ${kills} kills: each acknowledged addition is there, and no litter`,
    { short: { workers: 3, times: 10, kills: 2 }, long: { workers: 8, times: 500, kills: 60 } },
    async ({ workers, times, kills }) => {
      const path = targetFile();
      const random = randomFrom(workers);
      let killsLeft = kills;
      /** By name: acknowledged, and begun by one that was killed. */
      const acknowledged: Counts = {};
      const killed: Counts = {};
      await Promise.all(
        oneTo(workers).map(async (number) => {
          const name = `worker ${number}`;
          acknowledged[name] = 0;
          killed[name] = 0;
          for (let left = times; left > 0; ) {
            const program = worker(path, name, left, { durable: workers < 4 });
            const isVictim = killsLeft > 0;
            if (isVictim) {
              killsLeft--;
              // After so many; at which system call is left to chance.
              await said(program, 1 + Math.floor(random() * Math.min(left, 2 * (times / 10))));
              await program.kill();
            }
            const { stdout, stderr, signal } = await program.exited;
            expect(stderr).toBe('');
            left -= stdout.length;
            acknowledged[name] = (acknowledged[name] ?? 0) + stdout.length;
            if (signal !== null) killed[name] = (killed[name] ?? 0) + 1;
          }
        }),
      );
      const { whole, pad: _pad, ...counts } = read(path);
      expect(killsLeft).toBe(0);
      let sum = 0;
      for (const [name, count] of Object.entries(counts)) {
        sum += count;
        // One that was killed may have written what it did not live to say.
        expect(count).toBeGreaterThanOrEqual(acknowledged[name] ?? 0);
        expect(count).toBeLessThanOrEqual((acknowledged[name] ?? 0) + (killed[name] ?? 0));
      }
      expect(Object.keys(counts)).toHaveLength(workers);
      expect(whole).toBe(sum);
      await worker(path, 'last', 1).exited;
      expect(litterIn(dirname(path))).toEqual([]);
      expect(readFileSync(`${path}.lock`, 'utf8')).toBe('');
    },
  );
});

describe('a reader without a lock', () => {
  inTwoSizes(
    (times) => `sees ${times} updates by two processes, and never a torn or an empty file`,
    { short: 20, long: 1000 },
    async (times) => {
      const path = targetFile('{"whole":0}');
      const programs = ['a', 'b'].map((name) => worker(path, name, times / 2, { durable: false }));
      let running = true;
      const ended = Promise.all(programs.map(({ exited }) => exited)).then(() => {
        running = false;
      });
      let last = 0;
      while (running) {
        for (let reads = 0; reads < 100; reads++) {
          const { whole = -1 } = read(path);
          expect(whole).toBeGreaterThanOrEqual(last);
          last = whole;
        }
        await new Promise(setImmediate);
      }
      await ended;
      expect(read(path)['whole']).toBe(times);
    },
  );
});

describe('two lock files of one file', () => {
  test('never share a temporary file, so no content is mixed', async () => {
    const path = targetFile('{}');
    const lockPaths = ['a', 'b'].map((name) => join(dirname(path), `${name}.lock`));
    const workers = lockPaths.map((lockPath, at) => worker(path, `${at}`, 20, { lockPath }));
    let running = true;
    const ended = Promise.all(workers.map(({ exited }) => exited)).then((ends) => {
      running = false;
      return ends;
    });
    while (running) {
      read(path);
      await new Promise(setImmediate);
    }
    for (const { stdout, stderr } of await ended) {
      expect({ stdout, stderr }).toEqual({ stdout: '+'.repeat(20), stderr: '' });
    }
    expect(readdirSync(dirname(path)).sort()).toEqual(['a.lock', 'b.lock', 'settings.json']);
  });

  test('a temporary file of the other one is left alone, named or not', async () => {
    const path = targetFile('{}');
    const other = join(dirname(path), '.holdfast-0000000000000000.new');
    writeFileSync(other, 'of the other');
    await worker(path, 'x', 2).exited;
    expect(readFileSync(other, 'utf8')).toBe('of the other');
  });
});
