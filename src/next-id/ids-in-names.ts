import { printable } from '../base/holder.js';
import { AmbiguousIdError } from './errors.js';

/** The ids in use, and how many digits they are written with. */
export interface UsedIds {
  ids: Set<number>;
  /** 0 where they are not padded, or not alike. */
  width: number;
}

/**
 * The ids in names of entries. With `pattern`, an id is its first group. By
 * default:
 *
 * Where every name with a number begins with one, the id is that number; where
 * none does, it is the only number of the name. All else (some names begin
 * with a number and some do not, or a name has several) is `ERR_ID_AMBIGUOUS`.
 *
 * Names that begin with a dot do not count: editors and programs keep
 * `.0003-draft.md.swp` and the like beside the entries. A pattern sees them.
 *
 * `ignored` hears of numbers that are no ids, such as those beyond
 * `Number.MAX_SAFE_INTEGER`.
 */
export function idsInNames(
  names: readonly string[],
  pattern: RegExp | undefined,
  directory: string,
  ignored: (name: string, text: string) => void,
): UsedIds {
  const texts = new Map<string, number>();
  const found = pattern === undefined ? byRule(names, directory) : byPattern(names, pattern);
  for (const [name, text] of found) {
    const id = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (Number.isSafeInteger(id)) texts.set(text, id);
    else ignored(name, text);
  }
  return { ids: new Set(texts.values()), width: commonWidth([...texts.keys()]) };
}

function* byPattern(names: readonly string[], pattern: RegExp): Generator<[string, string]> {
  for (const name of names) {
    // One with the flag g would go on where it found the last.
    pattern.lastIndex = 0;
    const text = pattern.exec(name)?.[1];
    if (text !== undefined) yield [name, text];
  }
}

function byRule(names: readonly string[], directory: string): Map<string, string> {
  const leading = new Map<string, string>();
  const inside = new Map<string, string>();
  let several: string | undefined;
  for (const name of names) {
    const [first, second] = name[0] === '.' ? [] : (name.match(/\d+/g) ?? []);
    if (first === undefined) continue;
    if (name.startsWith(first)) leading.set(name, first);
    else {
      inside.set(name, first);
      if (second !== undefined) several ??= name;
    }
  }
  if (inside.size === 0) return leading;
  const quoted = (name: string): string => `'${printable(name)}'`;
  if (leading.size > 0) {
    const [[one = ''], [other = '']] = [[...leading.keys()], [...inside.keys()]];
    const problem = `${quoted(one)} begins with a number, ${quoted(other)} has one elsewhere`;
    throw new AmbiguousIdError(directory, [one, other], problem);
  }
  if (several !== undefined) {
    throw new AmbiguousIdError(directory, [several], `${quoted(several)} has several numbers`);
  }
  return inside;
}

/**
 * How many digits all are padded to: `0009` and `0010` to 4, also beside
 * `10000`; `1` and `02` to none.
 */
function commonWidth(texts: readonly string[]): number {
  const width = texts.find((text) => text.startsWith('0'))?.length ?? 0;
  const fits = (text: string): boolean => text === padded(Number(text), width);
  return texts.every(fits) ? width : 0;
}

export function padded(id: number, width: number): string {
  return String(id).padStart(width, '0');
}
