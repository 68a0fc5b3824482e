// @module-tag long
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, vi } from 'vitest';
import { updateFile } from '../../src/update.js';
import { testFolder } from '../support/folder.js';
import { killAt, killAtEachCall, type Point } from '../support/kill.js';
import { needs } from '../support/tools.js';

vi.setConfig({ testTimeout: 120_000 });

// Several pages, so that a torn one would show.
const OLD = 'old '.repeat(5000);
const NEW = 'new '.repeat(6000);

describe('killed at each system call', () => {
  for (const [thread, pool] of [
    ['the main thread', false],
    ['the thread that writes', true],
  ] as const) {
    for (const exists of [true, false]) {
      const what = exists ? 'of an update' : 'of a creation';
      needs('root', 'strace')(
        `${what}, in ${thread}: old or new, and no litter stays`,
        async () => {
          const root = testFolder();
          const seen = { old: 0, new: 0, left: 0 };
          const run = async (name: string, point: Point | null) => {
            const folder = join(root, name);
            mkdirSync(join(folder, 'files'), { recursive: true });
            const path = join(folder, 'files', 'target');
            if (exists) {
              writeFileSync(path, OLD);
              chmodSync(path, 0o640);
            }
            const message = { path, warmUp: join(folder, 'warm'), text: NEW, pool };
            const env = { UV_THREADPOOL_SIZE: '1' };
            const victim = { script: './update-victim.mjs', message, env };
            return killAt(victim, join(folder, 'trace'), point);
          };
          await killAtEachCall(run, async (name) => {
            const files = join(root, name, 'files');
            const path = join(files, 'target');
            const names = readdirSync(files);
            const litter = names.filter((each) => each.startsWith('.holdfast-'));
            expect(litter.length).toBeLessThanOrEqual(1);
            seen.left += litter.length;
            const text = names.includes('target') ? readFileSync(path, 'utf8') : undefined;
            const old = exists ? OLD : undefined;
            expect([old, NEW]).toContain(text);
            seen[text === NEW ? 'new' : 'old']++;
            if (exists) expect(statSync(path).mode & 0o777).toBe(0o640);
            expect(await updateFile(path, (last) => `${last}next`)).toBe(`${text}next`);
            expect(readdirSync(files).sort()).toEqual(['target', 'target.lock']);
            expect(readFileSync(`${path}.lock`, 'utf8')).toBe('');
            rmSync(join(root, name), { recursive: true });
          });
          expect(seen.old).toBeGreaterThan(0);
          expect(seen.new).toBeGreaterThan(0);
          expect(seen.left).toBeGreaterThan(0);
        },
      );
    }
  }
});
