import { findCommon, haveCommon, patternsOverlap } from './overlap.js';
import { type Pattern, plainPath } from './pattern.js';
import { isWithin } from './within.js';

/**
 * All paths that match one of `patterns` and none of `except`, in one working
 * tree or in all of them.
 */
export interface Part {
  readonly patterns: readonly Pattern[];
  readonly except: readonly Pattern[];
  /** The working tree, as its absolute path; `null`: all trees. */
  readonly tree: string | null;
}

/**
 * What an agent may change: the union of the parts. United lists of patterns
 * and exceptions would not do: `src/` except `src/gen/`, with `src/gen/a.ts`
 * added, has to have `src/gen/a.ts`.
 */
export interface Scope {
  readonly parts: readonly Part[];
}

/** A pattern, and the part it belongs to. */
export interface Member {
  part: Part;
  pattern: Pattern;
}

/** Two patterns of two scopes that have a path in common. */
export interface Overlap<S extends Scope = Scope> {
  /** The scope of `other`. */
  scope: S;
  own: Member;
  other: Member;
}

/** A path that both scopes have through these two patterns, or `null`. */
export function witnessOf(one: Member, other: Member): string | null {
  const [a, b] = [one.pattern, other.pattern];
  const witness = findCommon(a, b, [...one.part.except, ...other.part.except]);
  // As people write it: the search has it in the form in which names are compared.
  const itself = [a, b].find((each) => each.literal && each.tail === witness);
  return itself === undefined ? witness : plainPath(itself);
}

/** Whether there is such a path, for patterns whose prefixes agree. */
function overlaps(one: Member, other: Member): boolean {
  const [a, b] = [one.pattern, other.pattern];
  if (one.part.except.length + other.part.except.length > 0) {
    return haveCommon(a, b, [...one.part.except, ...other.part.except]);
  }
  if (a.folder && b.folder) return true;
  return patternsOverlap(a, b);
}

function shareTree(one: Part, other: Part): boolean {
  return one.tree === null || other.tree === null || one.tree === other.tree;
}

/** The scope of these patterns alone, in every tree. */
export function scopeOf(patterns: readonly Pattern[], except: readonly Pattern[] = []): Scope {
  return { parts: [{ patterns, except, tree: null }] };
}

export function patternsOf({ parts }: Scope): Pattern[] {
  return parts.flatMap(({ patterns }) => patterns);
}

/** The scope with less: `except` is taken out of every part. */
export function without({ parts }: Scope, except: readonly Pattern[]): Scope {
  return { parts: parts.map((part) => ({ ...part, except: [...part.except, ...except] })) };
}

/** Whether the exceptions leave nothing of a scope. */
export function isEmpty({ parts }: Scope): boolean {
  return parts.every(isEmptyPart);
}

export function isEmptyPart({ patterns, except }: Part): boolean {
  if (except.length === 0) return patterns.length === 0;
  return !patterns.some((pattern) => haveCommon(pattern, pattern, except));
}

/**
 * Whether the scope has every path that matches `pattern`, in the working tree
 * `tree`; of an exact path, that one alone.
 */
export function isCovered(pattern: Pattern, { parts }: Scope, tree: string | null): boolean {
  return parts.some((part, at) => {
    if (part.tree !== null && part.tree !== tree) return false;
    if (!part.patterns.some((each) => isWithin(pattern, each))) return false;
    const rest = { parts: parts.filter((_, index) => index !== at) };
    // What this part excepts, another one may have.
    return part.except.every(
      (each) =>
        !(pattern.exact ? isWithin(pattern, each) : patternsOverlap(pattern, each)) ||
        isCovered(!pattern.exact && isWithin(each, pattern) ? each : pattern, rest, tree),
    );
  });
}

interface Indexed<S extends Scope> extends Member {
  scope: S;
  /** How many were added before. */
  order: number;
}

interface Node<S extends Scope> {
  children: Map<string, Node<S>> | null;
  /** Literal paths that end here. They have what is below as well. */
  literals: Indexed<S>[] | null;
  /**
   * Patterns that go on from here with a wildcard, by what comes before it in
   * its segment; folders, and patterns that go on with `**`, by an empty text.
   */
  open: Map<string, Indexed<S>[]> | null;
}

/**
 * Scopes by the leading segments of their patterns. A pattern is compared only
 * with those that it can overlap, so for literal paths the cost grows with
 * their number and not with its square.
 */
export class ScopeIndex<S extends Scope> {
  readonly #top: Node<S> = newNode();
  #size = 0;

  add(scope: S): void {
    for (const part of scope.parts)
      for (const pattern of part.patterns) this.#add(scope, part, pattern);
  }

  #add(scope: S, part: Part, pattern: Pattern): void {
    const { prefix } = pattern;
    let node = this.#top;
    for (const segment of prefix) {
      node.children ??= new Map();
      let child = node.children.get(segment);
      if (child === undefined) {
        child = newNode();
        node.children.set(segment, child);
      }
      node = child;
    }
    const member = { scope, part, pattern, order: this.#size++ };
    if (pattern.literal) {
      node.literals ??= [];
      node.literals.push(member);
    } else {
      node.open ??= new Map();
      listOf(node.open, pattern.heads[prefix.length] ?? '').push(member);
    }
  }

  /**
   * Where `scope` overlaps with the scopes in the index. `wanted` is asked
   * before each comparison, and can skip a scope.
   */
  *overlapsWith(
    scope: Scope,
    wanted: (other: S) => boolean = () => true,
  ): Generator<Overlap<S>, void, undefined> {
    for (const part of scope.parts) {
      for (const pattern of part.patterns) {
        const own = { part, pattern };
        const near: Indexed<S>[] = [];
        walk(this.#top, pattern, 0, near);
        for (const other of near) {
          if (!wanted(other.scope) || !shareTree(part, other.part)) continue;
          if (overlaps(own, other)) yield { scope: other.scope, own, other };
        }
      }
    }
  }
}

function newNode<S extends Scope>(): Node<S> {
  return { children: null, literals: null, open: null };
}

/** The list of a key, made when it is first asked for. */
export function listOf<K, V>(lists: Map<K, V[]>, key: K): V[] {
  let list = lists.get(key);
  if (list === undefined) {
    list = [];
    lists.set(key, list);
  }
  return list;
}

/** All patterns that the segments up to the first `**` do not rule out, from a depth on. */
function walk<S extends Scope>(
  top: Node<S>,
  pattern: Pattern,
  from: number,
  near: Indexed<S>[],
): void {
  const { segments } = pattern;
  let node = top;
  for (let depth = from; depth < segments.length; depth++) {
    const segment = segments[depth] as string | null;
    const head = segment ?? (pattern.heads[depth] as string);
    for (const each of node.literals ?? []) near.push(each);
    collectOpen(node, near, (other) => {
      return head.startsWith(other) || (segment === null && other.startsWith(head));
    });
    if (segment === null) {
      for (const [name, child] of node.children ?? []) {
        if (name.startsWith(head)) walk(child, pattern, depth + 1, near);
      }
      return;
    }
    const child = node.children?.get(segment);
    if (child === undefined) return;
    node = child;
  }
  collect(node, near, { below: !pattern.hasFixedDepth });
}

function collect<S extends Scope>(
  node: Node<S>,
  into: Indexed<S>[],
  { below }: { below: boolean },
): void {
  collectOpen(node, into, () => true);
  for (const each of node.literals ?? []) into.push(each);
  if (below) for (const child of node.children?.values() ?? []) collect(child, into, { below });
}

/** In the order in which they were added. */
function collectOpen<S extends Scope>(
  { open }: Node<S>,
  into: Indexed<S>[],
  fits: (head: string) => boolean,
): void {
  if (open === null) return;
  const lists: Indexed<S>[][] = [];
  for (const [head, list] of open) if (fits(head)) lists.push(list);
  const all = lists.length > 1 ? lists.flat().sort((a, b) => a.order - b.order) : lists[0];
  // Not push(...all): a call takes a limited number of arguments.
  for (const each of all ?? []) into.push(each);
}
