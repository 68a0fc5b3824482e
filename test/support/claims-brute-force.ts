// A second opinion, written from the specification and from nothing in src/.

type Piece = { literal: string } | 'one' | 'many';

function piecesOf(segment: string): Piece[] {
  const pieces: Piece[] = [];
  const characters = [...segment];
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] as string;
    if (character === '\\' && at + 1 < characters.length) {
      pieces.push({ literal: characters[++at] as string });
    } else if (character === '*') pieces.push('many');
    else if (character === '?') pieces.push('one');
    else pieces.push({ literal: character });
  }
  return pieces;
}

function nameMatches(pieces: Piece[], name: string[], p = 0, n = 0): boolean {
  const piece = pieces[p];
  if (piece === undefined) return n === name.length;
  if (piece === 'many') {
    return (
      nameMatches(pieces, name, p + 1, n) ||
      (n < name.length && nameMatches(pieces, name, p, n + 1))
    );
  }
  if (n === name.length || (piece !== 'one' && piece.literal !== name[n])) return false;
  return nameMatches(pieces, name, p + 1, n + 1);
}

function pathMatches(
  segments: string[],
  path: string[],
  one: (segment: string, name: string) => boolean,
  s = 0,
  p = 0,
): boolean {
  const segment = segments[s];
  if (segment === undefined) return p === path.length;
  if (segment === '**') {
    return (
      pathMatches(segments, path, one, s + 1, p) ||
      (p < path.length && pathMatches(segments, path, one, s, p + 1))
    );
  }
  return (
    p < path.length &&
    one(segment, path[p] as string) &&
    pathMatches(segments, path, one, s + 1, p + 1)
  );
}

/** A generated text; one with `/` at its end is a folder, which has itself and all below. */
function segmentsOf(text: string): string[] {
  const isFolder = text.endsWith('/') || text === '.';
  const segments = text.split('/').filter((segment) => segment !== '' && segment !== '.');
  return isFolder ? [...segments, '**'] : segments;
}

const verdicts = new Map<string, boolean>();

function cached(segment: string, name: string): boolean {
  const key = `${segment}/${name}`;
  let verdict = verdicts.get(key);
  if (verdict === undefined) {
    verdict = nameMatches(piecesOf(segment), [...name]);
    verdicts.set(key, verdict);
  }
  return verdict;
}

export function matches(text: string, path: string): boolean {
  return path !== '' && pathMatches(segmentsOf(text), path.split('/'), cached);
}

/** All names of up to three characters, and all paths of up to three of them. */
const NAMES = [1, 2, 3]
  .flatMap((length) => {
    let words = [''];
    for (let at = 0; at < length; at++) {
      words = words.flatMap((word) => ['a', 'b', '.'].map((letter) => word + letter));
    }
    return words;
  })
  .filter((name) => name !== '.' && name !== '..');
const PATHS: string[][] = [
  ...NAMES.map((a) => [a]),
  ...NAMES.flatMap((a) => NAMES.map((b) => [a, b])),
  ...NAMES.flatMap((a) => NAMES.flatMap((b) => NAMES.map((c) => [a, b, c]))),
];

/** Which of all paths a pattern matches, a bit each. */
const languages = new Map<string, Uint32Array>();

function language(text: string): Uint32Array {
  let bits = languages.get(text);
  if (bits === undefined) {
    bits = new Uint32Array(Math.ceil(PATHS.length / 32));
    const segments = segmentsOf(text);
    for (let at = 0; at < PATHS.length; at++) {
      if (pathMatches(segments, PATHS[at] as string[], cached)) {
        bits[at >> 5] = (bits[at >> 5] as number) | (1 << (at & 31));
      }
    }
    languages.set(text, bits);
  }
  return bits;
}

/** By trying all paths. */
export function bruteForce(one: string, other: string, except: string[]): string | null {
  const [a, b] = [language(one), language(other)];
  const out = except.map(language);
  for (let word = 0; word < a.length; word++) {
    let bits = (a[word] as number) & (b[word] as number);
    for (const each of out) bits &= ~(each[word] as number);
    if (bits !== 0) {
      const bit = 31 - Math.clz32(bits & -bits);
      return (PATHS[word * 32 + bit] as string[]).join('/');
    }
  }
  return null;
}

const SEGMENTS = 'a b * ** ** ? a* *b a?b .a .* *a* ?? b*a a.b *.* \\* ab bb ?* *.a a\\b .??'.split(
  ' ',
);

export function generatePool(size: number, next: (below: number) => number): string[] {
  const pool = new Set<string>(['.', 'a', 'a/', '**', '*', '**/a', 'a/**']);
  while (pool.size < size) {
    const length = 1 + next(3);
    const segments = Array.from({ length }, () => SEGMENTS[next(SEGMENTS.length)] as string);
    pool.add(`${segments.join('/')}${next(3) === 0 ? '/' : ''}`);
  }
  return [...pool];
}
