import type { Entry } from './pattern.js';

export type { Entry };

/**
 * What an agent requests. Paths are relative to the root, or absolute: below it,
 * or in another working tree of its repository, where they mean the same file.
 * Symbolic links are followed.
 */
export interface ClaimRequest {
  /** Its name, which names the claim's file too. Two in one call must differ in more than case. */
  agent: string;
  /**
   * Paths, each with everything below it, or patterns: `*` within a name, `**`
   * for whole segments or none, `?` for one character, `{a,b}` for either (at
   * most 256 alternatives). Everything else is literal; `\` escapes, and
   * separates on Windows.
   */
  files?: string[] | undefined;
  /** Folders, with everything below them. */
  directories?: string[] | undefined;
  /** What is left out: paths and patterns as in `files`. */
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
  /**
   * The claim ends with this process: active as long as it runs, whatever the
   * expiry says, and free the moment it has ended. Where that cannot be told
   * (from another pid namespace, after another boot, without Linux's /proc), the
   * claim lives by its expiry: renew it. Not with `bind`.
   *
   * If the agent has a claim of the same session already, that of a process
   * above this one, the claim stays with the upper process.
   */
  session?: { pid: number } | undefined;
  /**
   * The agent of which this one is a sub-agent, in the same session. Their
   * scopes may overlap. What a hook has claimed for it goes to the parent when
   * this claim ends.
   */
  parent?: string | undefined;
  /**
   * Default `false`: replaces what the agent has claimed. `true`: that stays, and
   * this is added, also if an `except` of it left it out. The expiry becomes the
   * later of both. Without an active claim it is a new one.
   */
  extend?: boolean | undefined;
  /**
   * What leaves the agent's claim in the same step: paths and patterns as in
   * `except`. With `extend`, or alone; what is left of the claim stays, and a
   * claim of which nothing is left is removed.
   */
  release?: string[] | undefined;
  /**
   * Who claims. Default `'hand'`; `'hook'`: automatically, at the first write.
   * That holds in one working tree, and each path is a part of its own.
   */
  by?: 'hand' | 'mcp' | 'hook' | undefined;
  /** With `by: 'hook'`: the working tree, an absolute path. Default: the one of the root. */
  tree?: string | undefined;
}

/** What {@link Claim.extend} adds to a claim, and takes from it. */
export type ClaimExtension = Omit<ClaimRequest, 'agent' | 'bind' | 'extend'>;

export interface ClaimOptions {
  /**
   * Milliseconds, 0 to Infinity: how long to wait until the overlapping claims
   * are released, expire, or lose their last process. Default 0. Those who wait
   * for overlapping scopes are served in order; one whose process is stopped is
   * passed after 10 s. A wait that can never end is refused: see `circle` of
   * `ClaimConflictError`.
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
  /**
   * Default `false`: a name under which another session that lives has a claim,
   * or another process a bound one, is refused with `ERR_LOCK_HELD`. `true`: that
   * claim is replaced.
   */
  force?: boolean | undefined;
}

/**
 * What an agent may change until it is released. It exists only as long as it
 * is held; `signal` tells when that ends.
 */
export interface Claim extends AsyncDisposable {
  readonly agent: string;
  /** Normalised: relative to the root. Both follow the claim when it is extended or shrunk. */
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
   * the claim is not bound, or no longer held.
   */
  readonly fd: number;
  /**
   * Whether the claim is held and has this path (not a pattern), relative to
   * the root or absolute, as for `check`. A path outside is never covered.
   */
  covers(path: string): boolean;
  /**
   * Puts the expiry `ttl` milliseconds from now (default: the ttl it was claimed
   * with). Rejects with `ERR_LOCK_LOST` if the claim is no longer this one:
   * expired, removed, overwritten, or claimed anew under the same name.
   */
  renew(ttl?: number): Promise<void>;
  /**
   * Adds to the claim, and with `release` takes from it, in one step; `ttl` is
   * by default the one it was claimed with. If nothing is left, the claim ends as
   * by `release()`. Rejects as `claim` does, and then nothing has changed; with
   * `ERR_LOCK_LOST` if the claim is no longer this one.
   */
  extend(request: ClaimExtension, options?: ClaimOptions): Promise<void>;
  /**
   * Removes the claim. False: it was no longer this one, and nothing has been
   * removed; or it had expired. A second call does nothing and returns `false`.
   * `ERR_LOCK_HELD`: it was bound by another process, and only extended by this one.
   */
  release(): Promise<boolean>;
}

/**
 * `active`: bound and locked, or its session's process runs, or less than 2 s
 * past its expiry; `unverified`: it cannot be told whether its session's process
 * runs, so it lives by its expiry, and blocks as an active one does; `expired`;
 * `orphaned`: bound, and no process has it any more, or its session has ended;
 * `conflicting`: active or unverified, and overlapping with another such;
 * `invalid`: not a valid claim.
 */
export type ClaimState =
  | 'active'
  | 'unverified'
  | 'expired'
  | 'orphaned'
  | 'conflicting'
  | 'invalid';

/** A part of a scope: patterns, less exceptions that hold for these alone. */
export interface ClaimPartStatus {
  files: string[];
  directories: string[];
  except: string[];
  /** The working tree that it holds in; `null`: in all. */
  tree: string | null;
  by: 'hand' | 'mcp' | 'hook';
  /** When a hook last met it; else `null`. */
  touched: Date | null;
}

export interface ClaimStatus {
  agent: string;
  /** The claim's file, absolute. */
  file: string;
  state: ClaimState;
  /** Why it is not `active`. */
  reason: string | null;
  /** What all parts name. */
  files: string[];
  directories: string[];
  /** What every part excepts. */
  except: string[];
  /** The scope itself: a path is claimed if any part has it. */
  parts: ClaimPartStatus[];
  task: string | null;
  lockedAt: Date | null;
  expiresAt: Date | null;
  /**
   * The process that bound it; others may have its descriptor as well. The pid is
   * `null` if it is of another pid namespace: here it would mean another process.
   */
  bound: { pid: number | null } | null;
  /** The process with which it ends; its pid as in `bound`. */
  session: { pid: number | null } | null;
  /** The agent of which this one is a sub-agent. */
  parent: string | null;
  /** The agents that wait until this one gives up something. Only `list` fills it in. */
  waiters: string[];
}

/** What a call of `claim` or `claimAll` waits for. */
export interface ClaimWait {
  /** Those that it claims for; all at once. */
  agents: string[];
  files: string[];
  directories: string[];
  since: Date;
  task: string | null;
  /**
   * The agents that have to finish or give up something first: holders, and
   * those that have waited for longer. Empty: it is its turn.
   */
  blockedBy: string[];
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
  /** When the second agent's claim expires; `null` if it waits, or is only planned. */
  expiresAt: Date | null;
  /**
   * The process with which the second agent's claim ends, whatever `expiresAt`
   * says; `null`: it expires, is not claimed, or is `inOtherContainer`.
   */
  pid: number | null;
  /** `true`: the second agent's claim ends with a process of another pid namespace. */
  inOtherContainer?: boolean;
  /** Best first. */
  resolutions: Resolution[];
}

export interface PathVerdict {
  /** Relative to the root; as it was given if it is `outside`. */
  path: string;
  /**
   * `outside`: neither below the root nor in another working tree of its
   * repository, so these claims are not about it.
   */
  verdict: 'mine' | 'other' | 'unclaimed' | 'outside';
  /** Of an agent and its sub-agents that all have it, the innermost. */
  owner: ClaimStatus | null;
  /** The entry of the owner's claim that matches. */
  matchedBy: string | null;
  /** Why to take care all the same: a sub-agent has the path. */
  notice: string | null;
}

export interface Plan {
  /** Agents that can work at the same time, wave after wave; as few waves as possible. */
  waves: string[][];
  conflicts: Conflict[];
}
