// An independent check, written from the specification and not from src/.

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

/** A generated text; one with `/` at its end is a folder. */
function namesOf(text: string): string[] {
  return text.split('/').filter((segment) => segment !== '' && segment !== '.');
}

const isWild = (segment: string): boolean => /[*?]/.test(segment.replace(/\\./g, ''));
const isFolder = (text: string): boolean => text.endsWith('/') || text === '.';
const isLiteral = (text: string): boolean => !isFolder(text) && !namesOf(text).some(isWild);

/**
 * Whether what is below a literal path counts beside `other`: if that names
 * something there, or the path may be a folder. None of these paths exists, so
 * its name decides: one with an extension is a file.
 */
function goesBelow(literal: string, other: string): boolean {
  const length = namesOf(literal).length;
  const others = namesOf(other);
  const wild = others.findIndex(isWild);
  const named = wild < 0 ? others.length : wild;
  if (named > length || (named === length && !isLiteral(other))) return true;
  return !/[^/]\.[^./]+$/.test(literal);
}

/** `below`: of a literal path, also everything below it. A folder has that anyway. */
function segmentsOf(text: string, below: boolean): string[] {
  const isOpen = isFolder(text) || (below && isLiteral(text));
  return isOpen ? [...namesOf(text), '**'] : namesOf(text);
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

/** A literal path has what is below it. */
export function matches(text: string, path: string): boolean {
  return path !== '' && pathMatches(segmentsOf(text, true), path.split('/'), cached);
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

function language(text: string, below: boolean): Uint32Array {
  const segments = segmentsOf(text, below);
  const key = segments.join('/');
  let bits = languages.get(key);
  if (bits === undefined) {
    bits = new Uint32Array(Math.ceil(PATHS.length / 32));
    for (let at = 0; at < PATHS.length; at++) {
      if (pathMatches(segments, PATHS[at] as string[], cached)) {
        bits[at >> 5] = (bits[at >> 5] as number) | (1 << (at & 31));
      }
    }
    languages.set(key, bits);
  }
  return bits;
}

/** By trying all paths. */
export function bruteForce(one: string, other: string, except: string[]): string | null {
  const [a, b] = [language(one, goesBelow(one, other)), language(other, goesBelow(other, one))];
  const out = except.map((each) => language(each, true));
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
