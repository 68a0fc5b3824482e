import { findCommon, isMeeting, isWithin } from './overlap.js';
import { type Pattern, plainPath } from './pattern.js';

/** What one agent claims: all that matches `patterns` and none of `except`. */
export interface Scope {
  readonly patterns: readonly Pattern[];
  readonly except: readonly Pattern[];
}

/** A pattern, and the scope that has it. */
export interface Part<S extends Scope = Scope> {
  scope: S;
  pattern: Pattern;
}

/** Two patterns of two scopes through which both have some path. */
export interface Meeting<S extends Scope = Scope> {
  scope: S;
  own: Pattern;
  other: Pattern;
}

/** A path that both have through these two patterns, or `null`. */
export function meet(one: Part, other: Part): string | null {
  const [a, b] = [one.pattern, other.pattern];
  const except = [...one.scope.except, ...other.scope.except];
  const literal = a.literal ? a : b.literal ? b : null;
  if (literal === null || except.length > 0) return findCommon(a, b, except);
  return isMeeting(a, b) ? plainPath(literal) : null;
}

/** Whether there is one, of patterns whose prefixes agree. */
function isMet(one: Part, other: Part): boolean {
  const [a, b] = [one.pattern, other.pattern];
  if (one.scope.except.length + other.scope.except.length > 0) return meet(one, other) !== null;
  if ((a.literal || a.folder) && (b.literal || b.folder)) return true;
  return isMeeting(a, b);
}

/** Whether nothing is left of a scope. */
export function isEmpty({ patterns, except }: Scope): boolean {
  if (except.length === 0) return patterns.length === 0;
  return patterns.every((pattern) => findCommon(pattern, pattern, except) === null);
}

/** Whether the scope has every path that matches `pattern`. */
export function isCovered(pattern: Pattern, { patterns, except }: Scope): boolean {
  if (except.some((each) => isMeeting(pattern, each))) return false;
  return patterns.some((each) => isWithin(pattern, each));
}

interface Node<S extends Scope> {
  children: Map<string, Node<S>> | null;
  /** Those that are this very path. */
  literals: Part<S>[];
  /** Those that begin with it, and go on with a wildcard or as a folder. */
  open: Part<S>[];
}

/**
 * Scopes by the leading segments of their patterns, so that one pattern is
 * compared only with those that can meet it: with paths spelled out, the cost
 * grows with their number and not with its square.
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
   * Where `scope` meets those in the index that `wanted` lets through, which
   * is asked before each comparison.
   */
  *meetings(scope: Scope, wanted: (other: S) => boolean): Generator<Meeting<S>, void, undefined> {
    for (const pattern of scope.patterns) {
      for (const filed of this.#near(pattern)) {
        if (!wanted(filed.scope)) continue;
        if (!isMet({ scope, pattern }, filed)) continue;
        yield { scope: filed.scope, own: pattern, other: filed.pattern };
      }
    }
  }

  /** All that the leading segments do not rule out. */
  #near({ prefix, literal }: Pattern): Part<S>[] {
    const near: Part<S>[] = [];
    let node: Node<S> | undefined = this.#top;
    for (const segment of prefix) {
      // Not by push(...): there may be more than a call takes arguments.
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
