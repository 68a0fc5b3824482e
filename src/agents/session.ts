import { agentOf, findSessionProcess, nameOf } from '../claims/identity.js';
import { HOSTS, type Host } from './hosts.js';
import type { Caller } from './input.js';

/** For whom a hook claims. */
export interface Session {
  /** The name of the claim. */
  agent: string;
  /** Of a sub-agent: the name of its session; else `null`. */
  parent: string | null;
  /** The process with which the claim ends; `null`: it ends by its time. */
  pid: number | null;
  /** The name was given; else it is that of the process, or of the host's id. */
  isNamed: boolean;
  /**
   * The name that a command below the session has to be given with `--agent`, to
   * claim for the session; `null`: it finds that out.
   */
  nameToGive: string | null;
}

/**
 * `agent`: the name of the session, from `--agent` or HOLDFAST_AGENT; `from`: the
 * process to look for it from, by default the parent of this one. `null`: it
 * cannot be told which session calls.
 */
export function sessionOf(
  host: Host,
  { session, subagent }: Pick<Caller, 'session' | 'subagent'>,
  {
    agent: given = '',
    from = process.ppid,
  }: { agent?: string | undefined; from?: number | undefined } = {},
): Session | null {
  const found = findSessionProcess([host], from);
  const isShared = found === null || found.isShared;
  // A name that was given is one session's, whatever process it runs in.
  const isNamedById = given === '' && isShared;
  if (isNamedById && session === null) return null;
  const base = given || (found === null ? host.name : nameOf(found));
  const ids = { session: session ?? undefined, subagent: subagent ?? undefined };
  const { agent, parent } = agentOf(base, ids, { isShared: isNamedById });
  return {
    agent,
    parent,
    pid: isShared ? null : found.mark.pid,
    isNamed: given !== '',
    nameToGive: isNamedById ? (parent ?? agent) : null,
  };
}

/** The nearest process above this one in which any host runs a session. */
export function hostAbove(): { host: Host; pid: number } | null {
  const hosts = Object.values(HOSTS);
  const found = findSessionProcess(hosts, process.ppid);
  const host = hosts.find(({ name }) => name === found?.host);
  return found === null || host === undefined ? null : { host, pid: found.mark.pid };
}
