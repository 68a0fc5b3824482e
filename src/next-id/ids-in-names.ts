import { printable } from '../base/holder.js';
import { AmbiguousIdError } from './errors.js';

/** The ids in use, and how many digits they are written with. */
export interface UsedIds {
  ids: Set<number>;
  /** 0 if they are not padded, or not to the same width. */
  width: number;
}

/**
 * The ids in the names of entries. With `pattern`, an id is its first group. By
 * default:
 *
 * If every name with a number begins with one, the id is that number. If no name
 * begins with one, the id is the only number in the name. Anything else is
 * `ERR_ID_AMBIGUOUS`: some names begin with a number and some do not, or a name
 * has several.
 *
 * Names that begin with a dot do not count: editors and other programs keep
 * files such as `.0003-draft.md.swp` beside the entries. A pattern sees them.
 *
 * `ignored` is called for numbers that are not ids, such as those beyond
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
    // With the flag g, it would continue after the last match.
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
 * The number of digits that all are padded to: 4 for `0009` and `0010`, even with
 * `10000`; 0 for `1` and `02`.
 */
function commonWidth(texts: readonly string[]): number {
  const width = texts.find((text) => text.startsWith('0'))?.length ?? 0;
  const fits = (text: string): boolean => text === padded(Number(text), width);
  return texts.every(fits) ? width : 0;
}

export function padded(id: number, width: number): string {
  return String(id).padStart(width, '0');
}
