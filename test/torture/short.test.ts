import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';

const RUN = fileURLToPath(new URL('./run.mjs', import.meta.url));

/** `npm run torture` without the build: what it printed, and its counts. */
async function torture(seconds: number, ...args: string[]) {
  const child = spawn(process.execPath, [RUN, '--minutes', `${seconds / 60}`, ...args]);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk;
    });
  }
  onTestFinished(() => {
    child.kill();
    // After a violation the folder stays, for inspection.
    const folder = / in (\S*holdfast-torture-\S+)/.exec(output)?.[1];
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });
  const [code] = await once(child, 'close');
  const count = (name: string): number =>
    Number(new RegExp(`^ {2}${name}: (\\d+)$`, 'm').exec(output)?.[1]);
  return { code, output, count };
}

describe('torture', () => {
  test('eight seconds of it violate nothing', { timeout: 240_000, tags: ['long'] }, async () => {
    const { code, output, count } = await torture(8, '--seed', '1');
    expect(code, output).toBe(0);
    for (const name of ['exclusive', 'shared', 'kills', 'stops']) {
      expect(count(name), name).toBeGreaterThan(0);
    }
  });

  // Somebody breaks a rule on purpose: the checker for it has to see it.
  test.each([
    ['no-lock', 'exclusion', 20],
    ['token', 'token', 20],
    ['deaf', 'wake-up', 40],
    ['leak', 'leak', 5],
    ['listener', 'leak', 5],
    ['process', 'end', 3],
    ['stray', 'end', 3],
  ])('%s is found out', { timeout: 240_000, tags: ['long'] }, async (plant, kind, seconds) => {
    const { code, output } = await torture(seconds, '--seed', '1', '--plant', plant);
    expect(code, output).toBe(1);
    expect(output).toMatch(new RegExp(`seed 1, after .*\\n {2}${kind}: `));
  });
});
