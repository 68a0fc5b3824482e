import { warnOfInvalid } from './errors.js';
import type { ClaimsFolder } from './folder.js';
import type { LocatedPath } from './locate.js';
import { prefilter } from './prefilter.js';
import type { PathVerdict } from './types.js';
import { type IsForeign, invalidAmong, verdictsOf } from './verdicts.js';

interface Judging {
  as: string | undefined;
  ignoreInvalid: boolean;
  isForeign?: IsForeign | undefined;
}

/**
 * Whose each path is. A text is a path that is outside. Warns as `check` of
 * `Claims` does.
 */
export async function judge(
  folder: ClaimsFolder,
  paths: readonly (LocatedPath | string)[],
  { as, ignoreInvalid, isForeign }: Judging,
): Promise<PathVerdict[]> {
  const inside = paths.filter((each) => typeof each !== 'string');
  if (inside.length === 0) return paths.map((path) => outside(path as string));
  const patterns = inside.map(({ pattern }) => pattern);
  // Made for the first claim that it is asked about: beside few there is none.
  let mayOverlap: ((text: string) => boolean) | undefined;
  const found = await folder.readShared((agent, text) => {
    if (agent === as) return true;
    mayOverlap ??= prefilter(patterns, folder.root) ?? (() => true);
    return mayOverlap(text);
  });
  const verdicts = verdictsOf(inside, found, as, isForeign);
  if (!ignoreInvalid && verdicts.some((each) => each.verdict === 'unclaimed')) {
    const invalid = invalidAmong(found);
    if (invalid.length > 0) warnOfInvalid(folder.path, invalid);
  }
  let next = 0;
  return paths.map((path) =>
    typeof path === 'string' ? outside(path) : (verdicts[next++] as PathVerdict),
  );
}

/** The verdict on a path that the claims are not about. */
export function outside(path: string): PathVerdict {
  return { path, verdict: 'outside', owner: null, matchedBy: null, notice: null };
}
