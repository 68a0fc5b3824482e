import {
  ANY,
  compile,
  INSIDE,
  type Pattern,
  type Root,
  SEGMENTS,
  STAR,
  type Token,
} from './pattern.js';

const SLASH = 47;
const DOT = 46;

/**
 * A path that matches both patterns and none of `except`, the shortest there
 * is; `null` where no path does. Exact: it searches the product of the
 * patterns' automata, breadth first.
 *
 * A step of the search is (where in `one`, where in `other`, which of the
 * steps of `except` may be reached, what of a valid segment has been read).
 * Of `except` a set is followed, for a path is left out if any way through it
 * leads to the end. Where two searches meet in all but that set, and one's is
 * a part of the other's, the larger is dropped: whatever it finds, the smaller
 * one finds as well.
 */
export function findCommon(
  one: Pattern,
  other: Pattern,
  except: readonly Pattern[],
  root: Root,
): string | null {
  const a = compile(one, root);
  const b = compile(other, root);
  if (!tailsAgree(a, b)) return null;
  const excluded = except
    .filter(
      (each) => prefixesAgree(each.prefix, one.prefix) && prefixesAgree(each.prefix, other.prefix),
    )
    .map((each) => compile(each, root));
  const found = search(a, b, excluded, false);
  // With something in place of each `*`, it reads more like a path.
  return found === null ? null : (search(a, b, excluded, true) ?? found);
}

/** Whether `wide` matches every path that `narrow` does. */
export function isWithin(narrow: Pattern, wide: Pattern, root: Root): boolean {
  return findCommon(narrow, narrow, [wide], root) === null;
}

/** The search would find out as well, but only at the end of every way. */
function tailsAgree(a: Token[], b: Token[]): boolean {
  for (let back = 1; ; back++) {
    const [x, y] = [a[a.length - back], b[b.length - back]];
    if (x === undefined || y === undefined || x < 0 || y < 0) return true;
    if (x !== y) return false;
  }
}

export function prefixesAgree(one: readonly string[], other: readonly string[]): boolean {
  const shared = Math.min(one.length, other.length);
  for (let at = 0; at < shared; at++) if (one[at] !== other[at]) return false;
  return true;
}

/** More would take longer than anybody waits. */
const MOST_STEPS = 2_000_000;

interface Step {
  a: number;
  b: number;
  /** The steps of `except` that are reached, a bit each. */
  reached: bigint;
  /** Characters of the segment so far: 0, `.`, `..`, or something else. */
  segment: number;
  from: Step | null;
  read: number;
}

const [NOTHING, ONE_DOT, TWO_DOTS, NAMED] = [0, 1, 2, 3];

function search(a: Token[], b: Token[], except: Token[][], wordy: boolean): string | null {
  const machine = new Except(except);
  const other = unused([a, b, ...except]);
  const seen = new Map<number, bigint[]>();
  const queue: Step[] = [];
  let steps = 0;

  const reach = (
    a_: number,
    b_: number,
    reached: bigint,
    segment: number,
    from: Step | null,
    read: number,
  ): void => {
    const key = (a_ * (b.length + 1) + b_) * 4 + segment;
    const known = seen.get(key);
    if (known === undefined) seen.set(key, [reached]);
    else {
      if (known.some((set) => (set & reached) === set)) return;
      known.push(reached);
    }
    if (++steps > MOST_STEPS) throw new TooIntricateError();
    queue.push({ a: a_, b: b_, reached, segment, from, read });
  };

  for (const x of closure(a, 0, wordy)) {
    for (const y of closure(b, 0, wordy)) reach(x, y, machine.start, NOTHING, null, 0);
  }
  for (let head = 0; head < queue.length; head++) {
    const step = queue[head] as Step;
    const atEnd = step.a === a.length && step.b === b.length;
    if (atEnd && step.from !== null && step.segment === NOTHING && !machine.matches(step.reached)) {
      return pathTo(step);
    }
    for (const read of candidates(a[step.a], b[step.b], machine, other)) {
      const segment = nextSegment(step.segment, read);
      if (segment < 0) continue;
      const nextA = advance(a, step.a, read, wordy);
      const nextB = nextA.length === 0 ? [] : advance(b, step.b, read, wordy);
      if (nextB.length === 0) continue;
      const reached = machine.advance(step.reached, read);
      for (const x of nextA) for (const y of nextB) reach(x, y, reached, segment, step, read);
    }
  }
  return null;
}

/** What is worth reading next: of characters that no pattern names, one. */
function candidates(
  x: Token | undefined,
  y: Token | undefined,
  machine: Except,
  other: number,
): readonly number[] {
  if (x === undefined || y === undefined) return [];
  if (x >= 0) return [x];
  if (y >= 0) return [y];
  return machine.characters.length === 0 ? [other, SLASH] : [other, ...machine.characters, SLASH];
}

/** Negative: no path reads so. */
function nextSegment(segment: number, read: number): number {
  if (read === SLASH) return segment === NAMED ? NOTHING : -1;
  if (read !== DOT) return NAMED;
  return segment === NOTHING ? ONE_DOT : segment === ONE_DOT ? TWO_DOTS : NAMED;
}

/** Where a pattern can be after reading a character at `at`. */
function advance(tokens: Token[], at: number, read: number, wordy: boolean): number[] {
  const token = tokens[at];
  if (token === undefined) return [];
  if (token >= 0) return token === read ? closure(tokens, at + 1, wordy) : [];
  if (token === INSIDE) {
    return read === SLASH ? closure(tokens, at - 1, wordy, true) : [at];
  }
  if (read === SLASH) return [];
  if (token === ANY) return closure(tokens, at + 1, wordy);
  if (token === STAR) return [at, ...closure(tokens, at + 1, wordy)];
  return [at + 1];
}

/**
 * All places that are reached from `at` without reading. If `wordy`, each `*`
 * takes something, and so does the end of a folder, unless it `has`.
 */
function closure(tokens: Token[], at: number, wordy = false, has = false): number[] {
  const places = [at];
  for (let place = at; ; ) {
    const token = tokens[place];
    if (token === STAR && !wordy) place += 1;
    else if (token === SEGMENTS && (has || !wordy || place + 2 < tokens.length)) place += 2;
    else return places;
    places.push(place);
  }
}

function pathTo(last: Step): string {
  const characters: number[] = [];
  // The slash behind the last segment is not part of the path.
  for (let step = last.from; step !== null && step.from !== null; step = step.from) {
    characters.push(step.read);
  }
  return String.fromCodePoint(...characters.reverse());
}

/** A character that no pattern names stands for all of them. */
function unused(patterns: Token[][]): number {
  const used = new Set(patterns.flat());
  for (const character of 'abcdefghijklmnopqrstuvwxyz0123456789') {
    const code = character.codePointAt(0) as number;
    if (!used.has(code)) return code;
  }
  let code = 0x4e00;
  while (used.has(code)) code++;
  return code;
}

/** All patterns of `except` at once: which of their steps may be reached. */
class Except {
  readonly characters: readonly number[];
  readonly start: bigint;
  readonly #patterns: Token[][];
  readonly #offsets: number[] = [];
  readonly #accepting: bigint;
  readonly #memory = new Map<string, bigint>();

  constructor(patterns: Token[][]) {
    this.#patterns = patterns;
    const characters = new Set(patterns.flat().filter((token) => token >= 0));
    characters.delete(SLASH);
    this.characters = [...characters];
    let offset = 0;
    let accepting = 0n;
    let start = 0n;
    for (const tokens of patterns) {
      this.#offsets.push(offset);
      for (const place of closure(tokens, 0)) start |= 1n << BigInt(offset + place);
      offset += tokens.length + 1;
      accepting |= 1n << BigInt(offset - 1);
    }
    this.start = start;
    this.#accepting = accepting;
  }

  matches(reached: bigint): boolean {
    return (reached & this.#accepting) !== 0n;
  }

  advance(reached: bigint, read: number): bigint {
    if (reached === 0n) return 0n;
    const key = `${reached} ${read}`;
    let next = this.#memory.get(key);
    if (next === undefined) {
      next = this.#advance(reached, read);
      this.#memory.set(key, next);
    }
    return next;
  }

  #advance(reached: bigint, read: number): bigint {
    let next = 0n;
    this.#patterns.forEach((tokens, index) => {
      const offset = this.#offsets[index] as number;
      for (let at = 0; at <= tokens.length; at++) {
        if ((reached >> BigInt(offset + at)) & 1n) {
          for (const place of advance(tokens, at, read, false))
            next |= 1n << BigInt(offset + place);
        }
      }
    });
    return next;
  }
}

/** Patterns made so that no search through them ends. */
export class TooIntricateError extends RangeError {
  readonly code = 'ERR_OUT_OF_RANGE';

  constructor() {
    super('the patterns of "except" are too intricate to be decided: use fewer wildcards in them');
  }
}
