import { readdirSync, readlinkSync } from 'node:fs';

/** How many descriptors of this process lead into a folder (or to a path). */
export function descriptorsTo(path: string): number {
  let count = 0;
  for (const fd of readdirSync('/proc/self/fd')) {
    try {
      if (readlinkSync(`/proc/self/fd/${fd}`).startsWith(path)) count++;
    } catch {
      // The descriptor that listed the folder.
    }
  }
  return count;
}

export function threadCount(): number {
  return readdirSync('/proc/self/task').length;
}

/** Up to this many idle waiting threads stay for five seconds, by design. */
export const IDLE_THREADS = 4;

/** Repeats the question until the answer is yes. The test's timeout limits it. */
export async function until(question: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 8_000;
  while (!(await question())) {
    if (performance.now() > end) throw new Error(`still not so: ${question}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
