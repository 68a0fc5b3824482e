/** Who holds a lock. For people and messages: never decide by it. */
export interface Holder<T extends object = Record<string, unknown>> {
  /** `null` where it is not known, or would mean another process here. */
  pid: number | null;
  /** The holder is this very process. */
  self: boolean;
  /**
   * `'kernel'`: from the kernel's tables. `'record'`: only from the record in the
   * file. `'server'`: from the server that grants the lock.
   */
  source: 'kernel' | 'record' | 'server';
  /** Its own descriptors, or its session with the server, were seen to hold the lock. */
  verified: boolean;
  /**
   * Known only from its record, written in another pid namespace of this machine:
   * in another container, or outside this one.
   */
  inOtherContainer: boolean;
  /** When it acquired the lock; `null` unless the record belongs to this hold. */
  since: Date | null;
  /** Its command line, with the program's name without its folder. */
  command: string | null;
  /** Its host; `null` if it is not known. */
  hostname: string | null;
  /** The user's own fields of the record. */
  data: Partial<T> | null;
}

const LONGEST = 200;

// A longer text is cut before the replacement.
const LONGEST_READ = 4096;

const PLAIN = /^[ -~]*$/;

// Not a literal: to check \p{…}, the parser would take a tenth of a millisecond
// of each program's start.
export const UNPRINTABLE = String.raw`\p{Cc}\p{Cf}\p{Zl}\p{Zp}`;
let unprintable: RegExp | undefined;

/** Untrusted text as one line that is safe to print. A value that is not a string becomes JSON. */
export function printable(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value));
  if (PLAIN.test(text)) return shorten(text);
  unprintable ??= new RegExp(`[${UNPRINTABLE}]+`, 'gu');
  return shorten(text.slice(0, LONGEST_READ).replace(unprintable, ' '));
}

/**
 * A message as one line that is safe to print, whatever path or name is in it:
 * `\n` and `\x1b` for what cannot be printed. Unlike `printable` it cuts nothing.
 */
export function oneLine(message: string): string {
  if (PLAIN.test(message)) return message;
  unprintable ??= new RegExp(`[${UNPRINTABLE}]+`, 'gu');
  return message.replace(unprintable, (run) => [...run].map(escaped).join(''));
}

// Letters of Persian and of India are written with them, and emoji made of others.
const JOINERS = ['\u200c', '\u200d'];

function escaped(character: string): string {
  if (JOINERS.includes(character)) return character;
  const code = character.codePointAt(0) ?? 0;
  const short = code < 0x20 ? JSON.stringify(character).slice(1, -1) : '';
  if (short.length === 2) return short;
  const digits = code.toString(16);
  if (code < 0x100) return `\\x${digits.padStart(2, '0')}`;
  return code < 0x10000 ? `\\u${digits.padStart(4, '0')}` : `\\u{${digits}}`;
}

function shorten(line: string): string {
  return line.length > LONGEST ? `${line.slice(0, LONGEST - 1)}…` : line;
}

/** `4m 12s`: the two largest units of a duration in milliseconds. */
export function formatDuration(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  if (days > 0) return `${days}d ${hours % 24}h`;
  if (hours > 0) return `${hours}h ${minutes % 60}m`;
  if (minutes > 0) return `${minutes}m ${seconds % 60}s`;
  return `${seconds}s`;
}

/** `pid 12345 (node deploy.js), for 4m 12s`. */
export function describeHolder(holder: Holder | null, now: number = Date.now()): string {
  if (holder === null) return 'another process';
  const who =
    holder.pid !== null
      ? `pid ${holder.pid}`
      : holder.inOtherContainer
        ? 'a process in another container'
        : 'an unknown process';
  const command = holder.command === null ? '' : ` (${holder.command})`;
  const place =
    holder.source === 'kernel' || holder.hostname === null
      ? ''
      : ` on ${printable(holder.hostname)}`;
  const self = holder.self ? ', this process' : '';
  const age = holder.since === null ? '' : `, for ${formatDuration(now - holder.since.getTime())}`;
  const doubt =
    holder.source === 'record' ? ', as its record says' : holder.verified ? '' : ', not verified';
  return `${who}${command}${place}${self}${age}${doubt}`;
}
