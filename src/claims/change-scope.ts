// What becomes of a claim's parts when it is extended or shrunk. Pure.
import type { ClaimPart } from './model.js';
import { haveCommon, patternsOverlap } from './overlap.js';
import type { Pattern } from './pattern.js';
import { isCovered } from './scope.js';
import { isWithin } from './within.js';

/** The parts without `released`. A part that nothing of it was taken from stays the same object. */
export function shrink(parts: readonly ClaimPart[], released: readonly Pattern[]): ClaimPart[] {
  return parts.map((part) => shrinkPart(part, released)).filter((part) => part !== null);
}

/** `null`: nothing is left. */
function shrinkPart(part: ClaimPart, released: readonly Pattern[]): ClaimPart | null {
  const taken = released.filter(
    (each) =>
      part.patterns.some((pattern) => patternsOverlap(pattern, each)) &&
      !part.except.some((known) => isWithin(each, known)),
  );
  if (taken.length === 0) return part;
  const except = [
    ...part.except.filter((known) => !taken.some((each) => isWithin(known, each))),
    ...taken,
  ];
  const patterns = part.patterns.filter(
    (pattern) =>
      !taken.some((each) => isWithin(pattern, each)) && haveCommon(pattern, pattern, except),
  );
  if (patterns.length === 0) return null;
  return {
    ...part,
    patterns,
    // An exception without effect would only keep other patterns from joining.
    except: except.filter((each) => patterns.some((pattern) => patternsOverlap(pattern, each))),
  };
}

/**
 * The parts with `added`. A part without exceptions joins another one that has
 * none. Each part that a hook claimed stays separate, since each has its own
 * time; what the agent already has in another way needs none.
 */
export function extend(
  parts: readonly ClaimPart[],
  added: readonly ClaimPart[],
): readonly ClaimPart[] {
  return added.reduce(
    (all: readonly ClaimPart[], part) => (part.by === 'hook' ? touch(all, part) : join(all, part)),
    parts,
  );
}

function join(parts: readonly ClaimPart[], part: ClaimPart): readonly ClaimPart[] {
  if (parts.some((each) => isSame(each, part))) return parts;
  const isOpen = ({ by, tree, except }: ClaimPart): boolean =>
    by === part.by && tree === part.tree && except.length === 0;
  const at = isOpen(part) ? parts.findIndex(isOpen) : -1;
  const other = parts[at];
  if (other === undefined) return [...parts, part];
  const patterns = new Map(
    [...other.patterns, ...part.patterns].map((each) => [each.pattern, each]),
  );
  return parts.with(at, { ...other, patterns: [...patterns.values()] });
}

function touch(parts: readonly ClaimPart[], part: ClaimPart): readonly ClaimPart[] {
  const at = parts.findIndex((each) => isSame(each, part));
  if (at >= 0) return parts.with(at, part);
  const lasting = { parts: parts.filter(({ by }) => by !== 'hook') };
  const isKnown = part.patterns.every((each) => isCovered(each, lasting, part.tree));
  return isKnown ? parts : [...parts, part];
}

/** Whether they name the same, whenever they were touched. */
function isSame(one: ClaimPart, other: ClaimPart): boolean {
  const alike = (a: readonly Pattern[], b: readonly Pattern[]): boolean =>
    a.length === b.length && a.every((each) => b.some(({ pattern }) => pattern === each.pattern));
  return (
    one.by === other.by &&
    one.tree === other.tree &&
    alike(one.patterns, other.patterns) &&
    alike(one.except, other.except)
  );
}
