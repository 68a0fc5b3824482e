import { printable } from '../base/holder.js';
import type { Claims } from '../claims/claims.js';
import type { ClaimRequest, ClaimStatus, Conflict, PathVerdict, Plan } from '../claims/types.js';
import { groupsOf, type PathGroup } from '../cli/claim-paths.js';
import { CannotSay } from './failures.js';
import { type Own, ownOf } from './own.js';
import type { Session } from './session.js';

export interface Asked {
  paths: string[];
  except?: string[] | undefined;
  task?: string | undefined;
}

export interface Waiting {
  /** In milliseconds. */
  timeout: number;
  signal: AbortSignal;
  onWait: (conflicts: Conflict[]) => void;
}

/** Where the claims are. */
export interface Place {
  /** `null`: no folder was given, and the working directory is in no repository. */
  claimsHere: Claims | null;
  /** The folder was given; else each path is in the claims of its own repository. */
  hasFolder: boolean;
}

type Group = PathGroup & { claims: Claims };

const NOBODY =
  'The program that started this server runs several sessions in one process, so the server cannot tell whose claim this is. Ask the person to give the server a name, with --agent.';
const NOWHERE =
  'The working directory of this server is in no git repository. Name paths that are in one, or ask the person to give the server a folder for claims, with --dir.';

/** What the agent of this server's session has, and how it is claimed. */
export class AgentClaims {
  /** `null`: it cannot be told. */
  readonly agent: string | null;
  readonly #session: Session;
  readonly #place: Place;
  readonly #known = new Map<string, Claims>();
  readonly #ended = new AbortController();
  readonly #pending = new Set<Promise<unknown>>();

  constructor(place: Place, session: Session) {
    this.agent = session.agent;
    this.#session = session;
    this.#place = place;
    const { claimsHere } = place;
    if (claimsHere !== null) this.#known.set(claimsHere.directory, claimsHere);
  }

  get #name(): string {
    if (this.agent === null) throw new CannotSay(NOBODY);
    return this.agent;
  }

  /** Those of the working directory, or of the folder that was given. */
  get claims(): Claims {
    if (this.#place.claimsHere === null) throw new CannotSay(NOWHERE);
    return this.#place.claimsHere;
  }

  /** Adds to what the agent has. Rejects as `Claims.claim` does. Resolves to what it has then. */
  async claim(asked: Asked, { timeout, signal, onWait }: Waiting): Promise<void> {
    const { claims } = this.#only(asked.paths);
    const request = this.#request({ ...this.#scope(asked, claims), by: 'mcp' });
    const both = AbortSignal.any([signal, this.#ended.signal]);
    await this.#whilePending(claims.claim(request, { timeout, signal: both, onWait }));
  }

  /** Without paths: all that the agent has. Resolves to what it has no more. */
  async release(paths?: readonly string[]): Promise<string[]> {
    const gone: string[] = [];
    if (paths === undefined) {
      for (const claims of this.#known.values()) {
        gone.push(...(await this.#changed(claims, () => claims.release(this.#name))));
      }
      return gone;
    }
    for (const { claims, places, words } of this.#groups(paths)) {
      const given = { paths: words.map((word) => places.except(word)) };
      gone.push(...(await this.#changed(claims, () => claims.release(this.#name, given))));
    }
    return gone;
  }

  async check(paths: readonly string[]): Promise<PathVerdict[]> {
    const verdicts = new Map<string, PathVerdict>();
    for (const { claims, places, words } of groupsOf(paths, this.#place)) {
      const found = await claims?.check(
        words.map((word) => places.path(word)),
        this.agent === null ? {} : { as: this.agent },
      );
      for (const [at, word] of words.entries()) {
        const verdict = found?.[at] ?? outside(word);
        verdicts.set(word, verdict.verdict === 'outside' ? outside(word) : verdict);
      }
    }
    return paths.map((path) => verdicts.get(path) ?? outside(path));
  }

  async plan(requests: readonly (Asked & { agent: string })[]): Promise<Plan> {
    const named = requests.flatMap(({ paths }) => paths);
    const claims = named.length === 0 ? this.claims : this.#only(named).claims;
    const existing = await claims.list();
    const wanted = requests.map(({ agent, ...asked }) => ({
      agent,
      ...this.#scope(asked, claims),
    }));
    return claims.plan(wanted, { existing });
  }

  /** What the agent has in the repository of these paths, or of the working directory. */
  async own(paths: readonly string[] = []): Promise<Own> {
    const claims = this.#groups(paths)[0]?.claims ?? this.claims;
    return ownOf(this.#name, claims.root, await this.#status(claims));
  }

  /**
   * Releases what was claimed through a server of this session. Waits that are
   * pending end first: one of them may just have been granted.
   */
  async end(): Promise<void> {
    this.#ended.abort(new Error('the server has ended'));
    await Promise.allSettled(this.#pending);
    if (this.agent === null) return;
    await Promise.all([...this.#known.values()].map((claims) => this.#endIn(claims)));
  }

  async #endIn(claims: Claims): Promise<void> {
    const parts = (await this.#status(claims))?.parts ?? [];
    const here = parts.filter(({ by }) => by === 'mcp');
    const others = parts.filter(({ by }) => by !== 'mcp');
    if (here.length === 0) return;
    if (others.length === 0) {
      await claims.release(this.#name);
      return;
    }
    // What a hook has claimed has been written to: it stays, also where it lies
    // below what is released. In one step, so that nobody gets it in between.
    const trees = new Set(others.map(({ tree }) => tree));
    const [tree] = trees;
    // A claim for several trees, or one made by a person, stays whole until the
    // session ends.
    if (trees.size > 1 || tree == null) return;
    const [written, release] = [others, here].map((some) =>
      some.flatMap(({ files, directories }) => [...files, ...directories]),
    );
    await claims.claim(this.#request({ files: written, by: 'hook', tree, release }));
  }

  #request(request: Omit<ClaimRequest, 'agent'>): ClaimRequest {
    return { ...request, ...this.#session.binding, agent: this.#name, extend: true };
  }

  #scope({ paths, except = [], task }: Asked, { directory }: Claims): Omit<ClaimRequest, 'agent'> {
    const entries = this.#groups(paths).flatMap(({ places, words }) =>
      words.map((word) => places.entry(word)),
    );
    const texts = (kind: 'file' | 'directory'): string[] =>
      entries.filter((each) => each.kind === kind).map(({ pattern }) => pattern);
    return {
      files: texts('file'),
      directories: texts('directory'),
      except: this.#groups(except)
        .filter(({ claims }) => claims.directory === directory)
        .flatMap(({ places, words }) => words.map((word) => places.except(word))),
      taskDescription: task,
    };
  }

  /** The paths by their repositories. */
  #groups(paths: readonly string[]): Group[] {
    return groupsOf(paths, this.#place).map((group) => {
      const claims = group.claims ?? this.claims;
      const known = this.#known.get(claims.directory) ?? claims;
      this.#known.set(claims.directory, known);
      return { ...group, claims: known };
    });
  }

  /** Only the paths of one folder can be claimed all or none. */
  #only(paths: readonly string[]): Group {
    const groups = this.#groups(paths);
    const [first, second] = groups;
    if (first !== undefined && second === undefined) return first;
    const each = groups.map(({ claims, words }) => {
      return `- ${printable(claims.root)}: ${words.slice(0, 20).map(printable).join(', ')}`;
    });
    throw new CannotSay(
      ['These paths are in several repositories. Make one call for each:', ...each].join('\n'),
    );
  }

  async #changed(claims: Claims, change: () => Promise<unknown>): Promise<string[]> {
    const before = ownOf(this.#name, claims.root, await this.#status(claims));
    await change();
    const after = ownOf(this.#name, claims.root, await this.#status(claims));
    return [
      ...before.scope.filter((each) => !after.scope.includes(each)),
      ...after.except.filter((each) => !before.except.includes(each)),
    ];
  }

  async #status(claims: Claims): Promise<ClaimStatus | undefined> {
    const alive: string[] = ['active', 'unverified', 'conflicting'];
    const statuses = await claims.list();
    return statuses.find(({ agent, state }) => agent === this.agent && alive.includes(state));
  }

  async #whilePending<T>(promise: Promise<T>): Promise<T> {
    this.#pending.add(promise);
    try {
      return await promise;
    } finally {
      this.#pending.delete(promise);
    }
  }
}

function outside(path: string): PathVerdict {
  return { path, verdict: 'outside', owner: null, matchedBy: null, notice: null };
}
