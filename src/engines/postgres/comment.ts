import { randomBytes } from 'node:crypto';
import { printable } from '../../base/holder.js';
import type { ThisProcess } from '../this-process.js';

/** What precedes every statement of a session, for people and other lockers to read. */
export interface Tag {
  pid: number;
  host: string;
  command: string;
  /** Of the lock, shortened; `null` where the session holds none or several. */
  name: string | null;
  /** When that lock was granted; `null` where it is waited for as well. */
  since: Date | null;
  /** The statement waits for the lock. */
  waits: boolean;
  /**
   * The session had no lock before the statement, which says in no other way
   * which one it tries: so it is the same for all locks.
   */
  first: boolean;
  /** Made up by each process: a pid may be the same in another container. */
  process: string;
}

/** What a statement is about: the one lock of its session, or nothing. */
export type About = Pick<Tag, 'name' | 'since' | 'waits' | 'first'>;

export const NOTHING: About = { name: null, since: null, waits: false, first: false };

export const FIRST: About = { ...NOTHING, first: true };

/** Tells this process from others in a {@link Tag}. */
export const PROCESS = randomBytes(6).toString('base64url');

// pg_stat_activity shows the first 1,024 bytes of a statement, as the server is
// set by default. This leaves room for what the statement does.
const LONGEST_COMMENT = 800;
const LONGEST_FIELD = 96;
const COMMENT = /^\/\* holdfast ([\w-]+) \*\//;

/** In front of the statement, where no limit of the server cuts it off. */
export function commentOf(me: ThisProcess, { name, since, waits, first }: About): string {
  const fields = {
    pid: me.pid,
    host: cutToBytes(me.hostname, LONGEST_FIELD),
    command: me.command,
    name: name === null ? null : shortName(name),
    since: since === null ? null : since.getTime(),
    ...(waits ? { waits } : {}),
    ...(first ? { first } : {}),
    process: PROCESS,
  };
  let comment = encode(fields);
  while (comment.length >= LONGEST_COMMENT) {
    fields.command = `${fields.command.slice(0, fields.command.length * 0.75 - 1)}…`;
    comment = encode(fields);
  }
  return comment;
}

function encode(fields: object): string {
  // Neither quotes nor the end of a comment can come of any name.
  return `/* holdfast ${Buffer.from(JSON.stringify(fields)).toString('base64url')} */ `;
}

/** The name as a {@link Tag} has it. */
export function shortName(name: string): string {
  return cutToBytes(printable(name), LONGEST_FIELD);
}

/** Cut to so many bytes of UTF-8. */
function cutToBytes(text: string, most: number): string {
  if (Buffer.byteLength(text) <= most) return text;
  let end = Math.min(text.length, most);
  while (Buffer.byteLength(text.slice(0, end)) > most - 3) end--;
  return `${text.slice(0, end)}…`;
}

/** What a statement's comment says; `null` if it has none that is whole and ours. */
export function readComment(statement: string | null): Tag | null {
  const encoded = statement === null ? null : COMMENT.exec(statement);
  if (encoded === null) return null;
  try {
    const text = Buffer.from(encoded[1] as string, 'base64url').toString();
    const { pid, host, command, name, since, waits, first, process } = JSON.parse(text);
    if (!Number.isSafeInteger(pid) || typeof host !== 'string') return null;
    return {
      pid,
      host: printable(host),
      command: printable(command),
      name: typeof name === 'string' ? name : null,
      since: Number.isSafeInteger(since) ? new Date(since) : null,
      waits: waits === true,
      first: first === true,
      process: String(process),
    };
  } catch {
    return null;
  }
}

// What the server keeps of an application_name.
const LONGEST_APPLICATION_NAME = 63;
const APPLICATION_NAME = /^holdfast (\d{1,10})@(.+)$/;

/** `holdfast 31365@web-3`: what roles see that may not see statements. */
export function applicationName({ pid, hostname }: ThisProcess): string {
  return `holdfast ${pid}@${hostname}`.slice(0, LONGEST_APPLICATION_NAME);
}

export function readApplicationName(text: string | null): { pid: number; host: string } | null {
  const found = text === null ? null : APPLICATION_NAME.exec(text);
  return found && { pid: Number(found[1]), host: printable(found[2]) };
}
