import { findCommon, isWithin } from './overlap.js';
import { type Pattern, plainPath, type Root } from './pattern.js';

/** What one agent claims: all that matches `patterns` and none of `except`. */
export interface Scope {
  readonly patterns: readonly Pattern[];
  readonly except: readonly Pattern[];
}

/** Two patterns of two scopes that meet, and where. */
export interface Meeting<S extends Scope = Scope> {
  scope: S;
  own: Pattern;
  other: Pattern;
  witness: string;
}

/** A path that both scopes claim through these two patterns, which are near each other. */
export function meet(
  one: { scope: Scope; pattern: Pattern },
  other: { scope: Scope; pattern: Pattern },
  root: Root,
): string | null {
  const [a, b] = [one.pattern, other.pattern];
  const except = [...one.scope.except, ...other.scope.except];
  if (except.length === 0) {
    // Near in the index, these can but meet.
    if (a.literal && (b.literal || b.folder)) return plainPath(a);
    if (b.literal && a.folder) return plainPath(b);
  }
  return findCommon(a, b, except, root);
}

/** Whether nothing is left of a scope. */
export function isEmpty({ patterns, except }: Scope, root: Root): boolean {
  if (except.length === 0) return patterns.length === 0;
  return patterns.every((pattern) => findCommon(pattern, pattern, except, root) === null);
}

/** Whether the scope has every path that matches `pattern`. */
export function isCovered(pattern: Pattern, { patterns, except }: Scope, root: Root): boolean {
  if (except.some((each) => findCommon(pattern, each, [], root) !== null)) return false;
  return patterns.some((each) => isWithin(pattern, each, root));
}

interface Filed<S extends Scope> {
  scope: S;
  pattern: Pattern;
}

interface Node<S extends Scope> {
  children: Map<string, Node<S>> | null;
  /** Those that are this very path. */
  literals: Filed<S>[];
  /** Those that begin with it, and go on with a wildcard or as a folder. */
  open: Filed<S>[];
}

/**
 * Scopes by the leading segments of their patterns, so that one pattern is
 * compared only with those that can meet it: with paths spelled out, the cost
 * grows with their number and not with its square.
 */
export class ScopeIndex<S extends Scope> {
  readonly #top: Node<S> = newNode();
  readonly #root: Root;

  constructor(root: Root) {
    this.#root = root;
  }

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
        const witness = meet({ scope, pattern }, filed, this.#root);
        if (witness === null) continue;
        yield { scope: filed.scope, own: pattern, other: filed.pattern, witness };
      }
    }
  }

  /** All that the leading segments do not rule out. */
  *#near({ prefix, literal }: Pattern): Generator<Filed<S>, void, undefined> {
    let node: Node<S> | undefined = this.#top;
    for (const segment of prefix) {
      yield* node.open;
      node = node.children?.get(segment);
      if (node === undefined) return;
    }
    if (!literal) {
      yield* below(node);
      return;
    }
    yield* node.open;
    yield* node.literals;
  }
}

function newNode<S extends Scope>(): Node<S> {
  return { children: null, literals: [], open: [] };
}

function* below<S extends Scope>(node: Node<S>): Generator<Filed<S>, void, undefined> {
  yield* node.open;
  yield* node.literals;
  if (node.children === null) return;
  for (const child of node.children.values()) yield* below(child);
}
