// Apart from overlap.ts, which a check of one path mostly does not need.
import { isWithinWild } from './overlap.js';
import { type Pattern, prefixesAgree } from './pattern.js';

/** Whether `wide` matches every path that `narrow` does. */
export function isWithin(narrow: Pattern, wide: Pattern): boolean {
  if (narrow.pattern === wide.pattern) return true;
  if (!wide.folder) return isWithinWild(narrow, wide);
  const isBelow = wide.segments.length <= narrow.prefix.length;
  return isBelow && prefixesAgree(narrow.prefix, wide.segments);
}
