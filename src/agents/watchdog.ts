// Ends a hook that is too busy to notice that its time is over.

/** In characters. Shorter input is decided at once. */
const LARGE = 64 * 1024;

const SOURCE = `
const { writeSync } = require('node:fs');
const { workerData } = require('node:worker_threads');
setTimeout(() => {
  try {
    writeSync(2, workerData.text);
  } catch {}
  process.kill(process.pid, 'SIGKILL');
}, workerData.until - process.uptime() * 1000);`;

/**
 * Thousands of paths may keep this thread busy until its host has given up, and a
 * timer of this thread comes too late then. So another thread says `text` and
 * kills the process, which the installed line turns into a refusal. `until`: in
 * milliseconds since the process began.
 */
export async function watchLarge(
  input: string,
  given: () => { until: number; text: string },
): Promise<void> {
  if (input.length < LARGE) return;
  try {
    const { Worker } = await import('node:worker_threads');
    new Worker(SOURCE, { eval: true, workerData: given() }).on('error', () => {}).unref();
  } catch {
    // Node does not let this process have threads.
  }
}
