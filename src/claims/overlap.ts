import { matchesPath } from './match-path.js';
import { MOST_STEPS, search, UNDECIDED } from './overlap-search.js';
import type { Pattern } from './pattern.js';

/**
 * The shortest path that matches both patterns and none of `except`; `null` if
 * there is none. Exact: it searches the product of the patterns' automata,
 * breadth first. Some patterns are too complex for any such search. For these
 * it returns {@link UNDECIDED}, and callers must treat them as overlapping.
 */
export function findCommon(
  one: Pattern,
  other: Pattern,
  except: readonly Pattern[] = [],
): string | null {
  if (!mayOverlap(one, other)) return null;
  const excluded = except
    .filter((each) => mayOverlap(each, one) && mayOverlap(each, other))
    .map((each) => each.tokens);
  const found = search(one.tokens, other.tokens, excluded, false);
  if (found === null || found === UNDECIDED) return found;
  // With at least one character for each `*`, it reads more like a path.
  return search(one.tokens, other.tokens, excluded, true) || found;
}

/** Whether {@link findCommon} finds a path, or is undecided. */
export function haveCommon(one: Pattern, other: Pattern, except: readonly Pattern[]): boolean {
  if (!mayOverlap(one, other)) return false;
  const excluded = except.filter((each) => mayOverlap(each, one) && mayOverlap(each, other));
  if (excluded.length === 0) return one === other || isMet(one, other);
  const tokens = excluded.map((each) => each.tokens);
  return search(one.tokens, other.tokens, tokens, false) !== null;
}

/** Whether some path matches both patterns. */
export function patternsOverlap(one: Pattern, other: Pattern): boolean {
  return mayOverlap(one, other) && isMet(one, other);
}

function isMet(one: Pattern, other: Pattern): boolean {
  const literal = one.literal ? one : other.literal ? other : null;
  if (literal !== null) {
    const pattern = literal === one ? other : one;
    // Where a search could give up, it has the last word.
    const mostSteps = (literal.tail.length + 2) * (pattern.tokens.length + 1);
    if (mostSteps <= MOST_STEPS) return matchesPath(pattern.tokens, literal.tail);
  }
  return search(one.tokens, other.tokens, [], false) !== null;
}

/** Whether `wide` matches every path that `narrow` does. */
export function isWithin(narrow: Pattern, wide: Pattern): boolean {
  if (narrow.pattern === wide.pattern) return true;
  if (wide.literal && !narrow.literal) return false;
  if (!patternsOverlap(narrow, wide)) return false;
  // A single path that overlaps is within. So is everything in a folder that encloses it.
  if (narrow.literal || (wide.folder && wide.prefix.length <= narrow.prefix.length)) return true;
  return search(narrow.tokens, narrow.tokens, [wide.tokens], false) === null;
}

/**
 * False if the literal segments or the ends rule an overlap out, as they
 * usually do. The search would find the same, but takes longer.
 */
function mayOverlap(one: Pattern, other: Pattern): boolean {
  if (!prefixesAgree(one.segments, other.segments)) return false;
  return one.tail.endsWith(other.tail) || other.tail.endsWith(one.tail);
}

/** Compares the segments that both have; `null` matches any segment. */
function prefixesAgree(
  one: readonly (string | null)[],
  other: readonly (string | null)[],
): boolean {
  const shared = Math.min(one.length, other.length);
  for (let at = 0; at < shared; at++) {
    if (one[at] !== other[at] && one[at] !== null && other[at] !== null) return false;
  }
  return true;
}
