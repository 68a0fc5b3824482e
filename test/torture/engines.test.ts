import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test as plainTest } from 'vitest';
import { testFolder } from '../support/folder.js';
import { inTwoSizes } from '../support/sizes.js';
import { needs } from '../support/tools.js';

const RUN = fileURLToPath(new URL('./engines.mjs', import.meta.url));
const PLANTS = new URL('./engines/plants.mjs', import.meta.url).href;
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** `npm run torture:engines` without the build: what it printed, and its counts. */
async function torture(engine: string, seconds: number, ...args: string[]) {
  const child = spawn(process.execPath, [
    ...[RUN, '--engine', engine, '--minutes', `${seconds / 60}`],
    ...args,
  ]);
  onTestFinished(() => void child.kill());
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk;
    });
  }
  const [code] = await once(child, 'close');
  const count = (name: string): number =>
    Number(new RegExp(`^ {2}${name}: (\\d+)$`, 'm').exec(output)?.[1]);
  return { code, output, count };
}

describe.each(['postgres', 'etcd'] as const)('locks of %s', (engine) => {
  const test = needs(engine);

  inTwoSizes(
    (seconds: number) => `${seconds} seconds of torture violate nothing`,
    { short: 4, long: 30 },
    async (seconds) => {
      const { code, output, count } = await torture(engine, seconds);
      expect(code, output).toBe(0);
      for (const name of ['exclusive grants', 'writes', 'faults']) {
        expect(count(name), name).toBeGreaterThan(0);
      }
    },
    test,
  );
});

// An engine breaks a rule on purpose: the oracle has to see it.
const PLANTED = [
  ['postgres', 'deaf', 'exclusion|deaf'],
  ['postgres', 'question', 'left|stuck'],
  ['postgres', 'clock', 'token'],
  ['etcd', 'deaf', 'exclusion|deaf'],
  ['etcd', 'look', 'exclusion|register'],
  ['etcd', 'clock', 'token'],
] as const;

// The long ones need minutes to tell that the code which they change has changed.
plainTest.each(PLANTED)('%s: %s can be planted', async (engine, plant) => {
  const folder = testFolder();
  const dist = join('dist', `${engine}.js`);
  mkdirSync(join(folder, 'dist'));
  copyFileSync(join(ROOT, dist), join(folder, dist));
  const { plant: plantIn } = await import(PLANTS);
  plantIn(folder, engine, plant);
});

for (const [engine, plant, kinds] of PLANTED) {
  // Mostly within half a minute. What happens to whom depends on time, too, and on a
  // busy machine it has taken three times as long.
  const options = { tags: ['long'], timeout: 300_000 };
  needs(engine)(`${engine}: ${plant} is found out`, options, async () => {
    const { code, output } = await torture(engine, 240, '--seed', '1', '--plant', plant);
    expect(code, output).toBe(1);
    expect(output).toMatch(new RegExp(`seed 1, after .*\\n {2}(${kinds}): `));
  });
}
