// The name under which an agent claims. It must be the same from a shell, a
// hook and an MCP server; otherwise an agent would block itself.

import { argumentError } from '../base/argument-errors.js';
import { isFileName } from '../base/file-name.js';
import { lineOf, type ProcessView, viewOf } from '../holders/ancestors.js';
import { inInitialPidNamespace } from '../holders/process-identity.js';
import { CLAIM_SUFFIX, checkAgent } from './claim-file.js';
import { markOf, type SessionMark } from './session.js';

/** A program that runs agents. */
export interface AgentHost {
  readonly name: string;
  /** Whether one process always serves several sessions. */
  readonly sharesProcess?: boolean;
  /** Whether a session runs in this process. */
  isSession(process: ProcessView): boolean;
  /** Whether such a process serves several sessions, so that its end is not theirs. */
  servesSeveral?(process: ProcessView): boolean;
}

/** The process of a session. */
export interface SessionProcess {
  host: string;
  mark: SessionMark;
  /** It serves several sessions: no claim may be bound to it. */
  isShared: boolean;
}

/**
 * The nearest process above this one that is a host's, this one included. Not
 * simply the parent: a hook may be wrapped in a shell, `xargs` or `npx`, which
 * have ended a moment later. `null`: there is none, or it cannot be told.
 */
export function findSessionProcess(
  hosts: Iterable<AgentHost>,
  from: number = process.pid,
): SessionProcess | null {
  const table = [...hosts];
  if (table.length === 0) return null;
  for (const pid of lineOf(from)) {
    const view = viewOf(pid);
    const host = table.find((each) => each.isSession(view));
    if (host === undefined) continue;
    const mark = markOf(pid);
    if (mark === null) return null;
    const isShared = host.sharesProcess === true || host.servesSeveral?.(view) === true;
    return { host: host.name, mark, isShared };
  }
  return null;
}

/** What the caller knows of who asks. */
export interface Asker {
  /** As it was given: `--agent`. */
  agent?: string | undefined;
  environment?: Readonly<Record<string, string | undefined>>;
  /** Found only if no name is given. */
  findProcess: () => SessionProcess | null;
}

export interface Identity {
  agent: string;
  /** The process that named it; `null`: the name was given. */
  process: SessionProcess | null;
}

/** `--agent`, else HOLDFAST_AGENT, else HOST-PID of the session's process. `null`: nobody knows. */
export function identify({
  agent,
  environment = process.env,
  findProcess,
}: Asker): Identity | null {
  const given = agent || environment['HOLDFAST_AGENT'];
  if (given !== undefined && given !== '') return { agent: given, process: null };
  const found = findProcess();
  return found === null ? null : { agent: nameOf(found), process: found };
}

/**
 * HOST-PID. Pids of several containers are the same small numbers, so outside
 * of the initial pid namespace the process is told apart by four characters more.
 */
export function nameOf(
  { host, mark }: Pick<SessionProcess, 'host' | 'mark'>,
  isInitial: boolean = inInitialPidNamespace(),
): string {
  const { pid, start, namespace } = mark;
  const where = isInitial ? '' : `-${hash(`${namespace} ${start}`).slice(-4)}`;
  return `${host}-${pid}${where}`;
}

/** Who is who where hosts tell sessions and sub-agents by ids of their own. */
export interface SessionIds {
  session?: string | undefined;
  subagent?: string | undefined;
}

/**
 * The agent and its parent. A sub-agent is a child of its session. Where one
 * process serves several sessions, each is told by its id: one that names none
 * is refused, since it would get what another one has claimed.
 */
export function agentOf(
  agent: string,
  { session, subagent }: SessionIds,
  { isShared }: { isShared: boolean },
): { agent: string; parent: string | null } {
  if (isShared && (session ?? '') === '') {
    const rule = 'given: the process serves several sessions';
    throw argumentError('ERR_INVALID_ARG_VALUE', 'session', rule, session);
  }
  const own = isShared ? childName(agent, session as string) : agent;
  return (subagent ?? '') === ''
    ? { agent: own, parent: null }
    : { agent: childName(own, subagent as string), parent: own };
}

const LONGEST_ID = 40;
const LONGEST_FILE_NAME = 255;

/**
 * The name of a session or sub-agent of `agent`, by its id: always one that an
 * agent may have, and another one for each id.
 */
export function childName(agent: string, id: string): string {
  checkAgent(agent, 'agent');
  const plain = id.replace(/[^A-Za-z0-9_-]/g, '-');
  const isWhole = plain === id && id !== '' && id.length <= LONGEST_ID;
  const tail = isWhole ? id : `${plain.slice(0, LONGEST_ID)}-${hash(id)}`;
  // A dot tells it from HOST-PID with the four characters.
  const name = `${agent}${agent.endsWith('.') ? '-' : '.'}${tail}`;
  if (isFileName(name, CLAIM_SUFFIX)) return name;
  const end = `-${hash(agent)}.${tail}`;
  const room = LONGEST_FILE_NAME - CLAIM_SUFFIX.length - Buffer.byteLength(end);
  return `${cut(agent, room)}${end}`;
}

/** At most `bytes` of its beginning, in whole characters. */
function cut(text: string, bytes: number): string {
  let kept = '';
  let length = 0;
  for (const character of text) {
    length += Buffer.byteLength(character);
    if (length > bytes) break;
    kept += character;
  }
  return kept;
}

/** FNV-1a of 64 bits, in 13 characters. Not node:crypto, which takes longer to load than to hash. */
function hash(text: string): string {
  let value = 0xcbf29ce484222325n;
  for (const byte of Buffer.from(text)) {
    value = BigInt.asUintN(64, (value ^ BigInt(byte)) * 0x100000001b3n);
  }
  return value.toString(36).padStart(13, '0');
}
