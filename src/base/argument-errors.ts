import { oneLine } from './holder.js';

type ArgumentCode = 'ERR_INVALID_ARG_TYPE' | 'ERR_INVALID_ARG_VALUE' | 'ERR_OUT_OF_RANGE';

export function describe(value: unknown): string {
  if (typeof value === 'string') return `'${value.length > 60 ? `${value.slice(0, 60)}…` : value}'`;
  if (typeof value === 'function') return 'a function';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null) {
    return `an instance of ${value.constructor?.name ?? 'Object'}`;
  }
  return String(value);
}

/** For `expected` of {@link argumentError}; the message then reads `must not be empty`. */
export const NOT_EMPTY = 'not empty';

/** An error for an invalid argument, with the code that `node:` modules use. */
export function argumentError(
  code: ArgumentCode,
  name: string,
  expected: string,
  value: unknown,
): TypeError | RangeError {
  const message =
    expected === NOT_EMPTY
      ? `"${name}" must not be empty`
      : oneLine(`"${name}" must be ${expected}; it is ${describe(value)}`);
  const error = code === 'ERR_OUT_OF_RANGE' ? new RangeError(message) : new TypeError(message);
  return Object.assign(error, { code });
}

/** `error` is what JSON.stringify threw, or its replacer. */
export function notJson(name: string, error: unknown): TypeError {
  // Where an object contains itself, V8 draws the circle in further lines.
  const [reason] = (error instanceof Error ? error.message : String(error)).split('\n', 1);
  return Object.assign(new TypeError(oneLine(`"${name}" must be JSON: ${reason}`)), {
    code: 'ERR_INVALID_ARG_VALUE' as const,
  });
}

/** For a class whose objects come from its static methods alone. */
export function noConstructor(name: string): TypeError {
  const message = `new ${name}() is not possible: use ${name}.acquire() or ${name}.acquireSync()`;
  return Object.assign(new TypeError(message), { code: 'ERR_ILLEGAL_CONSTRUCTOR' as const });
}

// A shorter beginning says too little.
const SHORTEST = 3;

const MOST_MISTAKES = 2;

/** The known name that the caller probably meant: a misspelt or shortened one. */
export function nearest(key: string, known: Iterable<string>): string | undefined {
  const names = [...known];
  const near = misspelt(key, names);
  if (near !== undefined || key.length < SHORTEST) return near;
  return names.find((each) => each.toLowerCase().startsWith(key.toLowerCase()));
}

/** The known name that the key is a misspelling of. */
export function misspelt(key: string, known: Iterable<string>): string | undefined {
  return (
    [...known]
      // The distance of a long word takes long, and is at least this.
      .filter((each) => Math.abs(each.length - key.length) <= MOST_MISTAKES)
      .map((each) => ({ each, far: distance(key.toLowerCase(), each.toLowerCase()) }))
      // Half of the letters of a short word are no misspelling: `no` is not `nb`.
      .filter(({ each, far }) => far <= MOST_MISTAKES && far < each.length / 2)
      .sort((one, other) => one.far - other.far)[0]?.each
  );
}

export function unknownOption(name: string, key: string, known: ReadonlySet<string>): TypeError {
  const near = nearest(key, known);
  const advice =
    near !== undefined
      ? `; did you mean "${near}"?`
      : known.size > 0
        ? `; the options are: ${[...known].join(', ')}`
        : '';
  const error = new TypeError(oneLine(`"${name}.${key}" is not an option${advice}`));
  return Object.assign(error, { code: 'ERR_INVALID_ARG_VALUE' });
}

/** The Levenshtein distance; two neighbours that are swapped count once. */
function distance(from: string, to: string): number {
  // The distances of one prefix of `from` to each prefix of `to`.
  let row = Array.from({ length: to.length + 1 }, (_, length) => length);
  let above: number[] = [];
  for (let at = 1; at <= from.length; at++) {
    const twoAbove = above;
    above = row;
    row = [at];
    for (let length = 1; length <= to.length; length++) {
      const change = from[at - 1] === to[length - 1] ? 0 : 1;
      const [kept = 0, left = 0, added = 0] = [above[length - 1], above[length], row[length - 1]];
      const isSwap = from[at - 1] === to[length - 2] && from[at - 2] === to[length - 1];
      const swapped = (isSwap ? twoAbove[length - 2] : undefined) ?? Number.POSITIVE_INFINITY;
      row.push(Math.min(kept + change, left + 1, added + 1, swapped + 1));
    }
  }
  return row[to.length] ?? 0;
}
