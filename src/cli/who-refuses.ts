import { describeHolder, type Holder } from '../base/holder.js';
import { ancestorsOf, commandOf, isBelow } from '../holders/ancestors.js';

/**
 * The holder that `holdfast run` waits for, as its messages name it. The command
 * has no lock yet: if it is the holder itself, it has inherited a descriptor with
 * the lock, as after `exec 9>FILE; flock 9` of its shell. And what it runs inside
 * probably waits for it. Both waits may be without end. `queue` follows the holder.
 */
export function describeWhoRefuses(holder: Holder | null, queue = ''): string {
  const described = `${describeHolder(holder)}${queue}`;
  // A pid from a server or a record may be of another machine.
  if (holder === null || holder.pid === null || holder.source !== 'kernel') return described;
  if (!holder.self) {
    return isBelow(process.pid, holder.pid)
      ? `${described}; this command runs inside it`
      : described;
  }
  const [parent] = ancestorsOf(process.pid);
  const command = parent === undefined ? null : commandOf(parent);
  const named = command === null ? '' : ` (${command})`;
  const from = parent === undefined ? '' : ` from pid ${parent}${named}`;
  return `a descriptor that holdfast has inherited${from}${queue}`;
}
