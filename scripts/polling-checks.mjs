// Runs test/native/polling, which is for the systems where waits poll and only
// records tell who holds.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));
export const MILLISECONDS = 240_000;

/** The smoke test has its own limit. */
export const SMOKE = join(root, 'test', 'smoke.mjs');

/** `run` starts a file of tests: `{ status, output }`. Whether all passed. */
export function runChecks(run) {
  let passed = true;
  for (const file of ['locks.mjs', 'waits.mjs', 'floors.mjs']) {
    const { status, output } = run(join(root, 'test', 'native', 'polling', file));
    // node:test speaks TAP where it writes to a file.
    const titles = output.match(/^(?:not )?ok \d+ - .*/gm) ?? [];
    for (const title of titles) console.log(title.replace(/^((?:not )?ok) \d+ - /, '$1: '));
    if (status === 0) continue;
    passed = false;
    console.error(output);
  }
  return passed;
}
