import { findCommon, isWithin, patternsOverlap } from './overlap.js';
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
    return witnessOf(one, other) !== null;
  }
  if ((a.literal || a.folder) && (b.literal || b.folder)) return true;
  return patternsOverlap(a, b);
}

/** Whether `except` leaves nothing of a scope. */
export function isEmpty({ patterns, except }: Scope): boolean {
  if (except.length === 0) return patterns.length === 0;
  return patterns.every((pattern) => findCommon(pattern, pattern, except) === null);
}

/** Whether the scope has every path that matches `pattern`. */
export function isCovered(pattern: Pattern, { patterns, except }: Scope): boolean {
  if (except.some((each) => patternsOverlap(pattern, each))) return false;
  return patterns.some((each) => isWithin(pattern, each));
}

interface Node<S extends Scope> {
  children: Map<string, Node<S>> | null;
  /** Literal paths that end here. */
  literals: Part<S>[];
  /** Patterns that go on from here with a wildcard, or as a folder. */
  open: Part<S>[];
}

/**
 * Scopes by the leading segments of their patterns. A pattern is compared only
 * with those that it can overlap, so for literal paths the cost grows with
 * their number and not with its square.
 */
export class ScopeIndex<S extends Scope> {
  readonly #top: Node<S> = newNode();

  add(scope: S): void {
    for (const pattern of scope.patterns) {
      let node = this.#top;
      for (const segment of pattern.prefix) {
        node.children ??= new Map();
        let child = node.children.get(segment);
        if (child === undefined) {
          child = newNode();
          node.children.set(segment, child);
        }
        node = child;
      }
      (pattern.literal ? node.literals : node.open).push({ scope, pattern });
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
      for (const part of this.#near(pattern)) {
        if (!wanted(part.scope)) continue;
        if (!overlaps({ scope, pattern }, part)) continue;
        yield { scope: part.scope, own: pattern, other: part.pattern };
      }
    }
  }

  /** All patterns that the leading segments do not rule out. */
  #near({ prefix, literal }: Pattern): Part<S>[] {
    const near: Part<S>[] = [];
    let node: Node<S> | undefined = this.#top;
    for (const segment of prefix) {
      // Not push(...node.open): a call takes a limited number of arguments.
      for (const each of node.open) near.push(each);
      node = node.children?.get(segment);
      if (node === undefined) return near;
    }
    collect(literal ? { ...node, children: null } : node, near);
    return near;
  }
}

function newNode<S extends Scope>(): Node<S> {
  return { children: null, literals: [], open: [] };
}

function collect<S extends Scope>({ open, literals, children }: Node<S>, into: Part<S>[]): void {
  for (const each of open) into.push(each);
  for (const each of literals) into.push(each);
  for (const child of children?.values() ?? []) collect(child, into);
}
