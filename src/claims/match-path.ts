import { ANY, SEGMENTS, STAR, type Token } from './pattern.js';

const SLASH = 47;

/** Beyond so many steps a search for a path of two patterns takes too long, or too much memory. */
export const MOST_STEPS = 200_000;

/**
 * Whether a pattern matches a path; both in the form in which they are compared.
 * Like any matcher of globs, it goes back to the last `*` alone, and from there
 * to the last `**`: an earlier one that takes more leaves less for the rest. So
 * the time is bounded by the product of the lengths.
 */
export function matchesPath(pattern: readonly Token[], path: string): boolean {
  // A slash follows the last segment, too.
  const end = path.length + 1;
  let token = 0;
  let at = 0;
  // Where to go on if the `*` takes one more character, or the `**` one more segment.
  let star = { token: -1, at: 0 };
  let segments = { token: -1, at: 0 };
  while (at < end) {
    const read = readAt(path, at);
    const wanted = pattern[token];
    if (wanted === SEGMENTS) {
      token += 2;
      segments = { token, at };
    } else if (wanted === STAR) {
      token++;
      star = { token, at };
    } else if (wanted === read || (wanted === ANY && read !== SLASH)) {
      token++;
      at += lengthOf(read);
      if (read === SLASH) star = { token: -1, at: 0 };
    } else {
      const taken = star.token < 0 ? SLASH : readAt(path, star.at);
      if (taken !== SLASH) {
        star.at += lengthOf(taken);
        ({ token, at } = star);
      } else {
        if (segments.token < 0) return false;
        const slash = path.indexOf('/', segments.at);
        segments.at = slash < 0 ? end : slash + 1;
        ({ token, at } = segments);
        star = { token: -1, at: 0 };
      }
    }
  }
  while (pattern[token] === SEGMENTS) token += 2;
  return token === pattern.length;
}

function readAt(path: string, at: number): number {
  return at >= path.length ? SLASH : (path.codePointAt(at) as number);
}

function lengthOf(character: number): number {
  return character > 0xffff ? 2 : 1;
}
