import { findCommon, haveCommon, isWithin, patternsOverlap } from './overlap.js';
import { type Pattern, plainPath } from './pattern.js';

/** All paths that match one of `patterns` and none of `except`. */
export interface Scope {
  readonly patterns: readonly Pattern[];
  readonly except: readonly Pattern[];
}

/** A pattern, and the scope it belongs to. */
export interface Part<S extends Scope = Scope> {
  scope: S;
  pattern: Pattern;
}

/** Two patterns of two scopes that have a path in common. */
export interface Overlap<S extends Scope = Scope> {
  /** The scope of `other`. */
  scope: S;
  own: Pattern;
  other: Pattern;
}

/** A path that both scopes have through these two patterns, or `null`. */
export function witnessOf(one: Part, other: Part): string | null {
  const [a, b] = [one.pattern, other.pattern];
  const except = [...one.scope.except, ...other.scope.except];
  const literal = a.literal ? a : b.literal ? b : null;
  if (literal === null || except.length > 0) return findCommon(a, b, except);
  return patternsOverlap(a, b) ? plainPath(literal) : null;
}

/** Whether there is such a path, for patterns whose prefixes agree. */
function overlaps(one: Part, other: Part): boolean {
  const [a, b] = [one.pattern, other.pattern];
  if (one.scope.except.length + other.scope.except.length > 0) {
    return haveCommon(a, b, [...one.scope.except, ...other.scope.except]);
  }
  if ((a.literal || a.folder) && (b.literal || b.folder)) return true;
  return patternsOverlap(a, b);
}

/** Whether `except` leaves nothing of a scope. */
export function isEmpty({ patterns, except }: Scope): boolean {
  if (except.length === 0) return patterns.length === 0;
  return !patterns.some((pattern) => haveCommon(pattern, pattern, except));
}

/** Whether the scope has every path that matches `pattern`. */
export function isCovered(pattern: Pattern, { patterns, except }: Scope): boolean {
  if (except.some((each) => patternsOverlap(pattern, each))) return false;
  return patterns.some((each) => isWithin(pattern, each));
}

interface Indexed<S extends Scope> extends Part<S> {
  /** How many were added before. */
  order: number;
}

interface Node<S extends Scope> {
  children: Map<string, Node<S>> | null;
  /** Literal paths that end here. */
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
    for (const pattern of scope.patterns) {
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
      const part = { scope, pattern, order: this.#size++ };
      if (pattern.literal) {
        node.literals ??= [];
        node.literals.push(part);
      } else {
        node.open ??= new Map();
        listOf(node.open, pattern.heads[prefix.length] ?? '').push(part);
      }
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
    for (const pattern of scope.patterns) {
      const near: Indexed<S>[] = [];
      walk(this.#top, pattern, 0, near);
      for (const part of near) {
        if (!wanted(part.scope)) continue;
        if (!overlaps({ scope, pattern }, part)) continue;
        yield { scope: part.scope, own: pattern, other: part.pattern };
      }
    }
  }
}

function newNode<S extends Scope>(): Node<S> {
  return { children: null, literals: null, open: null };
}

function listOf<K, V>(lists: Map<K, V[]>, key: K): V[] {
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
