import { delimiter } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach } from 'vitest';

const BIN = fileURLToPath(new URL('bin', import.meta.url));
// As for users with a global installation. Not twice: some projects share a process.
if (process.env['PATH']?.startsWith(BIN) !== true) {
  process.env['PATH'] = [BIN, process.env['PATH']].join(delimiter);
}

// A warning that no test expects is a failure, like an error.
const warnings: Error[] = [];
const expected = new Set<string>();
// A test may fake the timers.
const { setImmediate } = globalThis;

// Node prints each warning; here only what no test expects is worth reading.
process.removeAllListeners('warning');
process.on('warning', (warning) => {
  if (warning.name === 'ExperimentalWarning' || warning.name === 'DeprecationWarning') return;
  if (!expected.has((warning as { code?: string }).code ?? '')) warnings.push(warning);
});

/** For the rest of the file. */
export function expectWarning(code: string): void {
  expected.add(code);
}

async function check(): Promise<void> {
  // Node emits a warning in the next tick.
  await new Promise((resolve) => setImmediate(resolve));
  const seen = warnings.splice(0);
  if (seen.length > 0) throw new AggregateError(seen, 'unexpected process warnings');
}

afterEach(check);
// What a test does in its own hooks comes after those of `afterEach`.
afterAll(check);
