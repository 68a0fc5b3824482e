import { printable } from '../base/holder.js';
import { UNDECIDED } from './overlap-search.js';
import type { Conflict } from './types.js';

/** `both match app/x`. */
export function describeWitness(witness: string): string {
  return witness === UNDECIDED
    ? 'too complex to compare; treated as overlapping'
    : `both match ${printable(witness)}`;
}

/** `until 11:30`; of a claim that ends with a process, `until pid 4411 ends`. */
export function describeEnd(
  expiresAt: Date,
  { pid, inOtherContainer = false }: Pick<Conflict, 'pid' | 'inOtherContainer'>,
  formatTime: (time: Date) => string,
): string {
  if (inOtherContainer) return 'until its process in another container ends';
  return pid === null ? `until ${formatTime(expiresAt)}` : `until pid ${pid} ends`;
}

/** `shop cannot have app/**: api has app/api/ (both match app/api/x), until …, "its task"`. */
export function describeConflict(
  conflict: Conflict,
  formatTime: (time: Date) => string = (time) => `${time.toISOString().slice(0, 19)}Z`,
): string {
  const { agents, entries, witness, task, expiresAt } = conflict;
  const [one, other] = agents.map(printable);
  const [own, theirs] = entries.map(({ pattern }) => printable(pattern));
  const has = expiresAt === null ? 'wants' : 'has';
  const end = expiresAt === null ? '' : describeEnd(expiresAt, conflict, formatTime);
  const until = end === '' ? '' : `, ${end}`;
  const doing = task === null ? '' : `, "${printable(task)}"`;
  return `${one} cannot have ${own}: ${other} ${has} ${theirs} (${describeWitness(witness)})${until}${doing}`;
}

/** `a would wait for itself: a waits for b, b waits for a; release something first`. */
export function describeCircle(circle: readonly string[]): string {
  const names = circle.map(printable);
  const steps = names.map((each, at) => `${each} waits for ${names[(at + 1) % names.length]}`);
  return `${names[0]} would wait for itself: ${steps.join(', ')}; release a path that one of them waits for`;
}
