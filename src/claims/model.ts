// The words of this folder:
//   Entry    what a claim names: a path, a pattern or a folder, as users write it
//   Pattern  an entry that has been parsed and can be compared
//   Part     some patterns, except others, in one working tree or in all
//   Scope    what an agent may change: the union of its parts
//   Claimed  an agent with its scope: what two sides of a comparison have in common
//   Wanted   a request that has been checked: a Claimed that is not granted yet
//   Found    a claim's file as it was read: valid or not, alive or not
import type { ClaimFile } from './claim-file.js';
import type { Pattern } from './pattern.js';
import type { Part, Scope } from './scope.js';
import type { SessionMark } from './session.js';

/** How a part came to be claimed: by a hook, through MCP, or by a person or a program. */
export type ClaimedBy = 'hook' | 'mcp' | 'hand';

export interface ClaimPart extends Part {
  readonly by: ClaimedBy;
  /** When its agent last wrote to it, for a part that a hook claimed; else `null`. */
  readonly touched: Date | null;
  /** What git keeps of `tree`, if that is a linked working tree: it stays where the tree is moved. */
  readonly gitDir?: string | null;
  /** When git made that, in the form of a claim's times: another tree may get the same name. */
  readonly since?: string | null;
}

/** An agent's scope, with what a conflict says about it. */
export interface Claimed extends Scope {
  readonly parts: readonly ClaimPart[];
  readonly agent: string;
  readonly task: string | null;
  /** `null`: requested, and not claimed yet. */
  readonly expiresAt: Date | null;
  /** The process with which the claim ends, whatever `expiresAt` says; `null`: it expires. */
  readonly pid: number | null;
  /** It ends with a process of another pid namespace; then `pid` is `null`. */
  readonly inOtherContainer?: boolean;
}

/** A checked request. */
export interface Wanted extends Claimed {
  readonly ttl: number;
  readonly bind: boolean;
  readonly keepAlive: boolean;
  readonly session: SessionMark | null;
  readonly parent: string | null;
  /** By force: nothing stays of what another session has under this name. */
  readonly isTaken?: boolean;
  /** What the agent has stays. */
  readonly extend: boolean;
  /** What leaves the agent's claim. */
  readonly released: readonly Pattern[];
  /** The id of the claim to change; any other one is not meant. */
  readonly only?: string | null;
}

/** A claim's file as it was read. */
export interface Found {
  agent: string;
  /** The claim's file, absolute. */
  file: string;
  /** The file that has its content: another one while a journal is unfinished. */
  location: string;
  state: 'active' | 'unverified' | 'expired' | 'orphaned' | 'invalid';
  reason: string | null;
  /** `null`: invalid. */
  claim: ClaimFile | null;
}
