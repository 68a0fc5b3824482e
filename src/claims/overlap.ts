import { ANY, INSIDE, type Pattern, SEGMENTS, STAR, type Token } from './pattern.js';

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
  except: readonly Pattern[] = [],
): string | null {
  if (!mayMeet(one, other)) return null;
  const excluded = except
    .filter((each) => mayMeet(each, one) && mayMeet(each, other))
    .map((each) => each.tokens);
  const found = search(one.tokens, other.tokens, excluded, false);
  // With something in place of each `*`, it reads more like a path.
  return found === null ? null : (search(one.tokens, other.tokens, excluded, true) ?? found);
}

/** Whether some path matches both. */
export function isMeeting(one: Pattern, other: Pattern): boolean {
  return mayMeet(one, other) && search(one.tokens, other.tokens, [], false) !== null;
}

/** Whether `wide` matches every path that `narrow` does. */
export function isWithin(narrow: Pattern, wide: Pattern): boolean {
  if (narrow.pattern === wide.pattern) return true;
  if (wide.literal && !narrow.literal) return false;
  if (!isMeeting(narrow, wide)) return false;
  // Of one path, to meet is to be within; and so it is for a folder around.
  if (narrow.literal || (wide.folder && wide.prefix.length <= narrow.prefix.length)) return true;
  return search(narrow.tokens, narrow.tokens, [wide.tokens], false) === null;
}

/**
 * False where the spelled-out segments or the ends rule it out, which most
 * often they do: the search would find out as well, and take longer.
 */
function mayMeet(one: Pattern, other: Pattern): boolean {
  if (!prefixesAgree(one.segments, other.segments)) return false;
  return one.tail.endsWith(other.tail) || other.tail.endsWith(one.tail);
}

/** As far as both go; `null` is any segment. */
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

/** More would take longer than anybody waits. */
const MOST_STEPS = 2_000_000;

interface Step {
  a: number;
  b: number;
  /** The steps of `except` that are reached, a bit each. */
  reached: bigint;
  /** What of the segment has been read: nothing, `.`, `..`, or something else. */
  segment: number;
  from: Step | null;
  read: number;
}

/** For any code point. */
const CHARACTER_BITS = 21n;
// Before the first segment there is no path yet, and behind one there is.
const [NOTHING, ONE_DOT, TWO_DOTS, NAMED, BEGINNING] = [0, 1, 2, 3, 4];

function search(
  a: readonly Token[],
  b: readonly Token[],
  except: (readonly Token[])[],
  wordy: boolean,
): string | null {
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
    const key = (a_ * (b.length + 1) + b_) * 5 + segment;
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
    for (const y of closure(b, 0, wordy)) reach(x, y, machine.start, BEGINNING, null, 0);
  }
  for (let head = 0; head < queue.length; head++) {
    const step = queue[head] as Step;
    const atEnd = step.a === a.length && step.b === b.length;
    if (atEnd && step.segment === NOTHING && !machine.matches(step.reached)) {
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
  return segment === NOTHING || segment === BEGINNING
    ? ONE_DOT
    : segment === ONE_DOT
      ? TWO_DOTS
      : NAMED;
}

/** Where a pattern can be after reading a character at `at`. */
function advance(tokens: readonly Token[], at: number, read: number, wordy: boolean): number[] {
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
function closure(tokens: readonly Token[], at: number, wordy = false, has = false): number[] {
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
function unused(patterns: readonly (readonly Token[])[]): number {
  for (let code = A; ; code++) {
    if (!patterns.some((tokens) => tokens.includes(code))) return code;
    if (code === Z) break;
  }
  let code = BEYOND;
  while (patterns.some((tokens) => tokens.includes(code))) code++;
  return code;
}

const [A, Z, BEYOND] = [97, 122, 0x4e00];

/** All patterns of `except` at once: which of their steps may be reached. */
class Except {
  readonly characters: readonly number[];
  readonly start: bigint;
  readonly #patterns: (readonly Token[])[];
  readonly #offsets: number[] = [];
  readonly #accepting: bigint;
  readonly #memory = new Map<bigint, bigint>();

  constructor(patterns: (readonly Token[])[]) {
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
    const key = (reached << CHARACTER_BITS) | BigInt(read);
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
