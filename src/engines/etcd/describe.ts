import { type Holder, printable } from '../../base/holder.js';
import { serverHolder, type ThisProcess } from '../this-process.js';
import { base64, type Entry } from './keys.js';

/** What the value of a key says of its process. */
export function describeProcess({ pid, hostname, command }: ThisProcess): string {
  return base64(JSON.stringify({ pid, host: hostname, command, since: new Date().toISOString() }));
}

/** Whom a key belongs to, as its value says. Those of etcdctl do not say it. */
export function holderOf({ value }: Entry, isOwn: boolean, here: ThisProcess): Holder<object> {
  const { pid, host, command, since } = parse(value);
  const known = {
    pid: Number.isSafeInteger(pid) && Number(pid) > 0 ? Number(pid) : null,
    hostname: typeof host === 'string' ? printable(host) : null,
    command: typeof command === 'string' ? printable(command) : null,
    since: dateOf(since),
  };
  const isHere = known.pid === here.pid && known.hostname === here.hostname;
  return serverHolder({ ...known, self: isOwn || isHere });
}

/** Nothing is known of it. */
export function unknownHolder(): Holder<object> {
  return serverHolder({ pid: null, hostname: null, command: null, since: null, self: false });
}

function parse(value: string): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(value);
    return typeof parsed === 'object' && parsed !== null ? { ...parsed } : {};
  } catch {
    return {};
  }
}

function dateOf(text: unknown): Date | null {
  const date = new Date(typeof text === 'string' ? text : Number.NaN);
  return Number.isNaN(date.getTime()) ? null : date;
}
