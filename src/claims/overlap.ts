import { MOST_STEPS, matchesPath } from './match-path.js';
import { search, UNDECIDED } from './overlap-search.js';
import { type Pattern, prefixesAgree, type Token } from './pattern.js';

/**
 * A path that matches both patterns and none of `except`, as short as there is
 * one; `null` if there is none. Exact: it searches the product of the patterns'
 * automata, breadth first. Some patterns are too complex for any such search.
 * For these it returns {@link UNDECIDED}, and callers must treat them as
 * overlapping.
 *
 * What is below a literal path counts if the other pattern names something
 * there, or if the path may be a folder.
 */
export function findCommon(
  one: Pattern,
  other: Pattern,
  except: readonly Pattern[] = [],
): string | null {
  if (!mayOverlap(one, other)) return null;
  const excluded = excludedFrom(one, other, except);
  const find = (a: Tokens, b: Tokens, wordy: boolean): string | null =>
    search(a, b, excluded, wordy);
  // The path itself reads better than one below it.
  for (const [a, b] of [
    [one, other],
    [other, one],
  ] as const) {
    if (!a.literal) continue;
    const tokens = tokensOf(b, a);
    const isMatched = excluded.length === 0 ? matchesItself(tokens, a) : undefined;
    if (isMatched === false) continue;
    const itself = isMatched ? a.tail : find(a.ownTokens, tokens, false);
    if (itself !== null) return itself;
  }
  const [a, b] = [tokensOf(one, other), tokensOf(other, one)];
  const found = find(a, b, false);
  if (found === null || found === UNDECIDED) return found;
  // With at least one character for each `*`, it reads more like a path.
  return find(a, b, true) || found;
}

/** Whether {@link findCommon} finds a path, or is undecided. */
export function haveCommon(one: Pattern, other: Pattern, except: readonly Pattern[]): boolean {
  if (!mayOverlap(one, other)) return false;
  const excluded = excludedFrom(one, other, except);
  if (excluded.length === 0) return one === other || isMet(one, other);
  return search(tokensOf(one, other), tokensOf(other, one), excluded, false) !== null;
}

/** Whether some path matches both patterns. */
export function patternsOverlap(one: Pattern, other: Pattern): boolean {
  return mayOverlap(one, other) && isMet(one, other);
}

/** For patterns of which {@link mayOverlap} is true. */
function isMet(one: Pattern, other: Pattern): boolean {
  if (one.folder && other.folder) return true;
  const literal = one.literal ? one : other.literal ? other : null;
  if (literal !== null) {
    const pattern = literal === one ? other : one;
    const isMatched = matchesItself(pattern.tokens, literal);
    if (isMatched) return true;
    if (isMatched === false && !goesBelow(literal, pattern)) return false;
  }
  return search(tokensOf(one, other), tokensOf(other, one), [], false) !== null;
}

/**
 * Whether a pattern with these steps matches a literal path itself, as a search
 * finds as well, but slower. `undefined`: a search could give up here, and has
 * the last word.
 */
function matchesItself(tokens: Tokens, literal: Pattern): boolean | undefined {
  const mostSteps = (literal.tail.length + 2) * (tokens.length + 1);
  return mostSteps <= MOST_STEPS ? matchesPath(tokens, literal.tail) : undefined;
}

/** The same as `isWithin`, where a wildcard decides. */
export function isWithinWild(narrow: Pattern, wide: Pattern): boolean {
  if (narrow.exact) return matchesPath(wide.tokens, narrow.tail);
  if (narrow.literal) {
    const isMatched = matchesItself(wide.tokens, narrow);
    if (isMatched === false) return false;
    if (isMatched && !narrow.mayBeFolder) return true;
  }
  // Some path of `narrow` then ends in another way: its wildcard takes what it likes.
  if (!narrow.tail.endsWith(wide.tail) || !mayOverlap(narrow, wide)) return false;
  const isOnePath = narrow.literal && !narrow.mayBeFolder;
  const tokens = isOnePath ? narrow.ownTokens : narrow.tokens;
  return search(tokens, tokens, [wide.tokens], false) === null;
}

type Tokens = readonly Token[];

/** Of what `one` matches, all that can be met by `other`. */
function tokensOf(one: Pattern, other: Pattern): Tokens {
  return one.literal && !goesBelow(one, other) ? one.ownTokens : one.tokens;
}

/** Whether what is below a literal path counts, compared with `other`. */
function goesBelow(literal: Pattern, other: Pattern): boolean {
  const { length } = literal.segments;
  const named = other.prefix.length;
  if (named > length || (named === length && !other.literal)) return true;
  return literal.mayBeFolder;
}

/** Those of `except` that can take away what both patterns match. They take what is below as well. */
function excludedFrom(one: Pattern, other: Pattern, except: readonly Pattern[]): Tokens[] {
  if (except.length === 0) return [];
  const mayTake = (each: Pattern, from: Pattern, met: Pattern): boolean =>
    prefixesAgree(each.segments, from.segments) &&
    (each.folder || (from.literal && goesBelow(from, met)) || tailsAgree(each, from));
  return except
    .filter((each) => mayTake(each, one, other) && mayTake(each, other, one))
    .map((each) => each.tokens);
}

/**
 * False if the literal segments or the ends rule an overlap out, as they
 * usually do. The search would find the same, but takes longer.
 */
function mayOverlap(one: Pattern, other: Pattern): boolean {
  if (!prefixesAgree(one.segments, other.segments)) return false;
  if (tailsAgree(one, other)) return true;
  return (one.literal && goesBelow(one, other)) || (other.literal && goesBelow(other, one));
}

function tailsAgree(one: Pattern, other: Pattern): boolean {
  return one.tail.endsWith(other.tail) || other.tail.endsWith(one.tail);
}
