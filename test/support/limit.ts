import { availableParallelism, loadavg } from 'node:os';

/**
 * A limit of time as it is on this machine now: where others want the processors
 * as well, everything takes longer. The torture, which is not compiled, has the
 * same in test/torture/watch.mjs.
 */
export function limit(milliseconds: number): number {
  const [load = 0] = loadavg();
  return milliseconds * Math.max(1, load / availableParallelism());
}
