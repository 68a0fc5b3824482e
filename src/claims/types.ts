import type { Entry } from './pattern.js';

export type { Entry };

/** What an agent requests. Paths are relative to the root, or absolute below it. */
export interface ClaimRequest {
  /** Its name, which names the claim's file too. Two in one call must differ in more than case. */
  agent: string;
  /**
   * Paths, or patterns: `*` within a name, `**` for whole segments or none,
   * `?` for one character. Everything else is literal; `\` escapes.
   */
  files?: string[] | undefined;
  /** Folders, with everything below them. */
  directories?: string[] | undefined;
  /** What is left out: patterns as in `files`; one that ends in `/` is a folder. */
  except?: string[] | undefined;
  taskDescription?: string | undefined;
  /** Milliseconds until the claim expires, rounded up to a second. Default one hour. */
  ttl?: number | undefined;
  /**
   * Default `false`. `true`: the claim lives as long as a process has its
   * descriptor (this one, and any that is given `fd`), and is free as soon as
   * all of them have ended.
   */
  bind?: boolean | undefined;
  /**
   * Default `false`. `true`: renews itself at a third of the ttl. Useless with a
   * ttl of 2 s or less, because the owner counts its claim as gone 2 s early.
   */
  keepAlive?: boolean | undefined;
}

export interface ClaimOptions {
  /**
   * Milliseconds, 0 to Infinity: how long to wait until the overlapping claims
   * are released, expire, or lose their last process. Default 0.
   */
  timeout?: number | undefined;
  /** Ends the wait: rejects with `signal.reason`, unchanged. */
  signal?: AbortSignal | undefined;
  /** Called once, if it has to wait. What it throws ends the wait. */
  onWait?: ((conflicts: Conflict[]) => void) | undefined;
  /**
   * Default `false`: while a file in the folder is not a valid claim, nothing
   * is granted.
   */
  ignoreInvalid?: boolean | undefined;
}

/**
 * What an agent may change until it is released. It exists only as long as it
 * is held; `signal` tells when that ends.
 */
export interface Claim extends AsyncDisposable {
  readonly agent: string;
  /** Normalised: relative to the root. */
  readonly files: readonly string[];
  readonly directories: readonly string[];
  readonly lockedAt: Date;
  /** When it ends unless it is renewed. The owner counts it as gone 2 s earlier. */
  readonly expiresAt: Date;
  /**
   * Aborted with a `LockLostError` when the claim has expired, was removed or
   * was overwritten: within about a second, at once where the system reports
   * changes. Not by `release`.
   */
  readonly signal: AbortSignal;
  /**
   * The locked descriptor of a bound claim, for the `stdio` of the agent's
   * process: the claim then lives until that process has ended as well. -1 if
   * the claim is not bound, or not held any more.
   */
  readonly fd: number;
  /**
   * Whether the claim is held and has this path (not a pattern), relative to
   * the root or absolute below it. A path outside of the root is never covered.
   */
  covers(path: string): boolean;
  /**
   * Puts the expiry `ttl` milliseconds from now (default: the ttl it was claimed
   * with). Rejects with `ERR_LOCK_LOST` if the claim is no longer this one:
   * expired, removed, overwritten, or claimed anew under the same name.
   */
  renew(ttl?: number): Promise<void>;
  /**
   * Removes the claim. False: it was no longer this one, and nothing has been
   * removed; or it had expired. A second call does nothing and returns `false`.
   */
  release(): Promise<boolean>;
}

/**
 * `active`: bound and locked, or less than 2 s past its expiry; `expired`;
 * `orphaned`: bound, and no process has it any more; `conflicting`: active,
 * and overlapping with another active one; `invalid`: not a valid claim.
 */
export type ClaimState = 'active' | 'expired' | 'orphaned' | 'conflicting' | 'invalid';

export interface ClaimStatus {
  agent: string;
  /** The claim's file, absolute. */
  file: string;
  state: ClaimState;
  /** Why it is not `active`. */
  reason: string | null;
  files: string[];
  directories: string[];
  except: string[];
  task: string | null;
  lockedAt: Date | null;
  expiresAt: Date | null;
  /** The process that bound it. Others may have its descriptor as well. */
  bound: { pid: number } | null;
}

/** What to do about a conflict. `text` says it in words. */
export type Resolution = { text: string } & (
  | { kind: 'sequential' | 'merge'; agents: string[] }
  | { kind: 'reassign'; to: string; files: string[] }
  | { kind: 'split'; agent: string; except: string[] }
);

export interface Conflict {
  /** In a refusal, the agent that asked comes first. */
  agents: [string, string];
  /** Their first two entries that overlap. */
  entries: [Entry, Entry];
  /**
   * A path that both claim. Empty if the patterns are too complex to compare;
   * they are then treated as overlapping.
   */
  witness: string;
  /** The second agent's. */
  task: string | null;
  /** When the second agent's claim expires; `null` if it is not claimed yet. */
  expiresAt: Date | null;
  /** Best first. */
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
  /** Agents that can work at the same time, wave after wave; as few waves as possible. */
  waves: string[][];
  conflicts: Conflict[];
}
