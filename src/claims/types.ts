import type { Entry } from './pattern.js';

export type { Entry };

/** What an agent asks for. Paths are relative to the root, or absolute below it. */
export interface ClaimRequest {
  /** Its name, which is that of the claim's file. Two of one call differ in more than case. */
  agent: string;
  /**
   * Paths, or patterns: `*` within a name, `**` for whole segments or none,
   * `?` for one character. Everything else is literal; `\` escapes.
   */
  files?: string[] | undefined;
  /** Folders, with everything below them. */
  directories?: string[] | undefined;
  /** Not these: patterns like those of `files`; one that ends in `/` is a folder. */
  except?: string[] | undefined;
  taskDescription?: string | undefined;
  /** Milliseconds until the claim expires, rounded up to a second. Default one hour. */
  ttl?: number | undefined;
  /**
   * Default `false`. `true`: it lives as long as a process has its descriptor
   * (this one, and whoever is given `fd`), and is free as soon as all have ended.
   */
  bind?: boolean | undefined;
  /**
   * Default `false`. `true`: renews itself at a third of the ttl. Since the
   * owner counts its claim as gone 2 s early, of no use with a ttl of 2 s or less.
   */
  keepAlive?: boolean | undefined;
}

/**
 * `active`: bound and locked, or less than 2 s past its expiry; `expired`;
 * `orphaned`: bound, and no process has it any more; `conflicting`: active,
 * and overlapping with another active one; `invalid`: not to be understood.
 */
export type ClaimState = 'active' | 'expired' | 'orphaned' | 'conflicting' | 'invalid';

export interface ClaimStatus {
  agent: string;
  /** The claim's file, absolute. */
  file: string;
  state: ClaimState;
  /** Why it is in a state other than `active`. */
  reason: string | null;
  files: string[];
  directories: string[];
  except: string[];
  task: string | null;
  lockedAt: Date | null;
  expiresAt: Date | null;
  /** The process that bound it; others may have been given its descriptor. */
  bound: { pid: number } | null;
}

/** What to do about a conflict; `text` says it in words. */
export type Resolution = { text: string } & (
  | { kind: 'sequential' | 'merge'; agents: string[] }
  | { kind: 'reassign'; to: string; files: string[] }
  | { kind: 'split'; agent: string; except: string[] }
);

export interface Conflict {
  /** Of a refusal, who asked comes first. */
  agents: [string, string];
  /** The first two entries of theirs that overlap. */
  entries: [Entry, Entry];
  /**
   * A path that both claim. Empty where the patterns are so intricate that it
   * could not be found out whether there is one; then they count as overlapping.
   */
  witness: string;
  /** Of the second agent. */
  task: string | null;
  /** Of the second agent's claim; `null` where it is not claimed yet. */
  expiresAt: Date | null;
  /** The one to prefer first. */
  resolutions: Resolution[];
}

export interface PathVerdict {
  /** Relative to the root. */
  path: string;
  verdict: 'mine' | 'other' | 'unclaimed';
  owner: ClaimStatus | null;
  /** The entry of the owner's claim that matches. */
  matchedBy: string | null;
}

export interface Plan {
  /** Agents that can work at the same time, wave after wave; as few as possible. */
  waves: string[][];
  conflicts: Conflict[];
}
