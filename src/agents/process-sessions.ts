import { childName, findSessionProcess, nameOf } from '../claims/identity.js';
import type { Host } from './hosts.js';
import type { Session } from './session.js';

/** The process that runs the sessions. */
export interface SessionsProcess {
  /** What its sessions are named after. */
  name: string;
  /** The name was given; else it is that of the process. */
  isNamed: boolean;
  /** `null`: it serves sessions of several people, so that its end is not theirs. */
  pid: number | null;
}

/** `given`: the name from HOLDFAST_AGENT, or empty. */
export function sessionsProcess(host: Host, given: string, from: number): SessionsProcess {
  const found = findSessionProcess([host], from);
  const name = given || (found === null ? host.name : nameOf(found));
  const pid = found === null || found.isShared ? null : found.mark.pid;
  return { name, isNamed: given !== '', pid };
}

/**
 * Which agents the sessions of one process are, for a host that tells when each
 * of them begins and rests.
 *
 * In a server, each session is an agent of its own, named by its id. In a
 * process of one person, sessions mostly follow each other: a new one goes on
 * with the uncommitted work of the one before. So the session that works has the
 * name of the process, and one that works at the same time has a name of its
 * own. What it has claimed under it gives way to the others once it rests.
 */
export class SessionsOfProcess {
  readonly #process: SessionsProcess;
  readonly #parents = new Map<string, string>();
  /** By the session that is nobody's sub-agent. */
  readonly #working = new Map<string, { agent: string; members: Set<string> }>();
  readonly #resting = new Set<string>();

  constructor(process: SessionsProcess) {
    this.#process = process;
  }

  /** A session is a sub-agent of another one. */
  isBelow(session: string, parent: string): void {
    // It may have called before that was known.
    if (!this.#parents.has(session)) this.rests(session);
    this.#parents.set(session, parent);
  }

  /** Whose call it is. The session works from now on. */
  callerOf(session: string): Session {
    const top = this.#topOf(session);
    const working = this.#working.get(top) ?? { agent: this.#freeName(top), members: new Set() };
    this.#working.set(top, working);
    this.#resting.delete(working.agent);
    working.members.add(session);
    return this.#sessionOf(session, working.agent);
  }

  /** A session works no more, and may go on later. `null`: it did not work. */
  rests(session: string): Session | null {
    const top = this.#topOf(session);
    const working = this.#working.get(top);
    if (working?.members.delete(session) !== true) return null;
    if (working.members.size === 0) {
      this.#working.delete(top);
      this.#resting.add(working.agent);
    }
    return this.#sessionOf(session, working.agent);
  }

  /** A session was removed. */
  ends(session: string): Session {
    const top = this.#topOf(session);
    const agent = this.#working.get(top)?.agent ?? this.#ownName(top);
    const ended = this.rests(session) ?? this.#sessionOf(session, agent);
    this.#parents.delete(session);
    return ended;
  }

  /** The agents whose claims give way to the other sessions of this process. */
  get resting(): ReadonlySet<string> {
    return this.#process.pid === null ? new Set() : this.#resting;
  }

  #sessionOf(session: string, agent: string): Session {
    const { name, isNamed, pid } = this.#process;
    const isChild = this.#parents.has(session);
    return {
      agent: isChild ? childName(agent, session) : agent,
      parent: isChild ? agent : null,
      pid,
      isNamed: isNamed && agent === name,
      nameToGive: agent === name ? null : agent,
    };
  }

  #freeName(top: string): string {
    const { name } = this.#process;
    const isTaken = [...this.#working.values()].some(({ agent }) => agent === name);
    return isTaken ? childName(name, top) : this.#ownName(top);
  }

  /** Of a session that works alone. */
  #ownName(top: string): string {
    const { name, pid } = this.#process;
    return pid === null ? childName(name, top) : name;
  }

  #topOf(session: string): string {
    let top = session;
    for (let depth = 0; depth < 64; depth++) {
      const parent = this.#parents.get(top);
      if (parent === undefined) return top;
      top = parent;
    }
    return top;
  }
}
