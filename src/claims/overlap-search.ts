import { MOST_STEPS } from './match-path.js';
import { ANY, INSIDE, SEGMENTS, STAR, type Token } from './pattern.js';

const SLASH = 47;
const DOT = 46;

/** Returned in place of a path when the search gave up. */
export const UNDECIDED = '';

// Of a search as a whole, as MOST_STEPS.
const MOST_WORK = 20_000_000;

interface Step {
  a: number;
  b: number;
  reached: Reached;
  /** What has been read of the segment: nothing, `.`, `..`, or something else. */
  segment: number;
  from: Step | null;
  read: number;
}

// At the BEGINNING there is no path yet; with NOTHING read after a slash there is one.
const [NOTHING, ONE_DOT, TWO_DOTS, NAMED, BEGINNING] = [0, 1, 2, 3, 4];

/**
 * The shortest path that both patterns match and none of `except`; `null` if
 * there is none, {@link UNDECIDED} if it gave up. Breadth first, through the
 * product of the patterns' automata. `wordy`: each `*` has a character.
 *
 * A step of the search is (place in `one`, place in `other`, the set of places
 * that `except` can be in, what has been read of the current segment). `except`
 * needs a set because it excludes a path if any way through it reaches an end.
 * If two steps differ only in that set, and one set contains the other, the
 * step with the larger set is dropped: the other one finds whatever it finds.
 */
export function search(
  a: readonly Token[],
  b: readonly Token[],
  except: (readonly Token[])[],
  wordy: boolean,
): string | null {
  const machine = except.length === 0 ? NO_EXCEPT : new Except(except);
  const other = unused([a, b, ...except]);
  const seen = new Map<number, Reached[]>();
  const queue: Step[] = [];
  const reach = (next: Step): void => {
    const key = (next.a * (b.length + 1) + next.b) * 5 + next.segment;
    const known = seen.get(key);
    if (known === undefined) seen.set(key, [next.reached]);
    else {
      if (known.some((set) => machine.isPart(set, next.reached))) return;
      known.push(next.reached);
    }
    queue.push(next);
  };
  for (const x of closure(a, 0, wordy)) {
    for (const y of closure(b, 0, wordy)) {
      const reached = machine.start;
      reach({ a: x, b: y, reached, segment: BEGINNING, from: null, read: 0 });
    }
  }
  for (let head = 0; head < queue.length; head++) {
    if (queue.length > MOST_STEPS || machine.work > MOST_WORK) return UNDECIDED;
    const step = queue[head] as Step;
    const atEnd = step.a === a.length && step.b === b.length;
    if (atEnd && step.segment === NOTHING && !step.reached.matches) return pathTo(step);
    for (const read of candidates(a[step.a], b[step.b], step.reached, other)) {
      const segment = nextSegment(step.segment, read);
      if (segment < 0) continue;
      const nextA = advance(a, step.a, read, wordy);
      const nextB = nextA.length === 0 ? [] : advance(b, step.b, read, wordy);
      if (nextB.length === 0) continue;
      const reached = machine.advance(step.reached, read);
      for (const x of nextA) {
        for (const y of nextB) reach({ a: x, b: y, reached, segment, from: step, read });
      }
    }
  }
  return null;
}

/** The characters to try next. One stands for all that no pattern names. */
function candidates(
  x: Token | undefined,
  y: Token | undefined,
  { characters }: Reached,
  other: number,
): readonly number[] {
  if (x === undefined || y === undefined) return [];
  if (x >= 0) return [x];
  if (y >= 0) return [y];
  return characters.length === 0 ? [other, SLASH] : [other, ...characters, SLASH];
}

/** Negative: no path can go on like this. */
function nextSegment(segment: number, read: number): number {
  if (read === SLASH) return segment === NAMED ? NOTHING : -1;
  if (read !== DOT) return NAMED;
  return segment === NOTHING || segment === BEGINNING
    ? ONE_DOT
    : segment === ONE_DOT
      ? TWO_DOTS
      : NAMED;
}

/** The places that a pattern can be in after it reads a character at `at`. */
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
 * All places that can be reached from `at` without reading. If `wordy`, each
 * `*` takes at least one character, and so does the end of a folder unless it
 * `has` one already.
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
  // The slash after the last segment is not part of the path.
  for (let step = last.from; step !== null && step.from !== null; step = step.from) {
    characters.push(step.read);
  }
  return String.fromCodePoint(...characters.reverse());
}

/** A character that no pattern names; it stands for all such characters. */
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

/** The places that the patterns of `except` can be in, in order. */
interface Reached {
  readonly places: readonly number[];
  /** One of the patterns has reached its end, so it matches. */
  readonly matches: boolean;
  /** The characters that the places name. All others have the same effect. */
  readonly characters: readonly number[];
  readonly next: Map<number, Reached>;
}

/** Marks the end of each pattern in the joined list. */
const END = -5;

/** All patterns of `except` in one automaton, joined into one list of tokens. */
class Except {
  readonly start: Reached;
  /** Roughly how many places have been compared. */
  work = 0;
  readonly #tokens: Token[] = [];
  readonly #sets = new Map<string, Reached>();

  constructor(patterns: (readonly Token[])[]) {
    const starts: number[] = [];
    for (const tokens of patterns) {
      starts.push(this.#tokens.length);
      for (const token of tokens) this.#tokens.push(token);
      this.#tokens.push(END);
    }
    this.start = this.#set(new Set(starts.flatMap((at) => closure(this.#tokens, at))));
  }

  /** Whether `large` has every place of `small`. */
  isPart(small: Reached, large: Reached): boolean {
    if (small === large) return true;
    if (small.places.length >= large.places.length) return false;
    this.work += large.places.length;
    let at = 0;
    for (const place of small.places) {
      while (at < large.places.length && (large.places[at] as number) < place) at++;
      if (large.places[at] !== place) return false;
    }
    return true;
  }

  advance(reached: Reached, read: number): Reached {
    // It stays empty.
    if (reached.places.length === 0) return reached;
    const known = reached.next.get(read);
    if (known !== undefined) return known;
    this.work += reached.places.length;
    const places = new Set<number>();
    for (const at of reached.places) {
      if (this.#tokens[at] === END) continue;
      for (const place of advance(this.#tokens, at, read, false)) places.add(place);
    }
    const next = this.#set(places);
    reached.next.set(read, next);
    return next;
  }

  /** Returns the same object for the same places. */
  #set(found: Set<number>): Reached {
    const places = [...found].sort((x, y) => x - y);
    const key = places.join();
    this.work += places.length;
    const known = this.#sets.get(key);
    if (known !== undefined) return known;
    const tokens = places.map((at) => this.#tokens[at] as Token);
    const characters = new Set(tokens.filter((token) => token >= 0 && token !== SLASH));
    const set = {
      places,
      matches: tokens.includes(END),
      characters: [...characters],
      next: new Map(),
    };
    this.#sets.set(key, set);
    return set;
  }
}

const NO_EXCEPT = new Except([]);
