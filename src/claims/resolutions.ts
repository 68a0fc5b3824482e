import type { Claimed } from './model.js';
import type { Pattern } from './pattern.js';
import { isEmpty, type Overlap, patternsOf, without } from './scope.js';
import type { Conflict, Resolution } from './types.js';
import { isWithin } from './within.js';

// Nobody reads longer lists.
const MOST_NAMED = 20;

/**
 * What two agents can do about their overlaps, best first. `sequential` is
 * always possible; the others let them work at the same time.
 */
export function resolve(one: Claimed, other: Claimed, overlaps: readonly Overlap[]): Resolution[] {
  const shared: Shared = {
    one: unique(overlaps.map((each) => each.own.pattern)),
    other: unique(overlaps.map((each) => each.other.pattern)),
  };
  return [
    merge(one, other),
    reassign(one, other, overlaps),
    split(one, other, shared),
    sequential(one, other),
  ].filter((each) => each !== null);
}

interface Shared {
  one: Pattern[];
  other: Pattern[];
}

function unique(patterns: Pattern[]): Pattern[] {
  return [...new Map(patterns.map((each) => [each.pattern, each])).values()];
}

/** An agent that has claimed already is at work, so it goes first. */
function sequential(one: Claimed, other: Claimed): Resolution {
  const otherIsFirst = other.expiresAt !== null;
  const [first, second] = otherIsFirst ? [other.agent, one.agent] : [one.agent, other.agent];
  return { kind: 'sequential', agents: [first, second], text: `run ${second} after ${first}` };
}

/** The same conflict where the second agent has waited for longer, so it goes first. */
export function behindWaiter(conflict: Conflict): Conflict {
  const [waiter, other] = [conflict.agents[1], conflict.agents[0]];
  const resolutions = conflict.resolutions.map((each): Resolution => {
    if (each.kind !== 'sequential') return each;
    return { ...each, agents: [waiter, other], text: `run ${other} after ${waiter}` };
  });
  return { ...conflict, resolutions };
}

const known = new WeakMap<Claimed, ReadonlySet<string>>();

/** What an agent claims. It is asked for in each conflict of the agent, of which there may be hundreds. */
function textsOf(claimed: Claimed): ReadonlySet<string> {
  let texts = known.get(claimed);
  if (texts === undefined) {
    texts = new Set(patternsOf(claimed).map((each) => each.pattern));
    known.set(claimed, texts);
  }
  return texts;
}

/** If each claims more than half of what the other claims. */
function merge(one: Claimed, other: Claimed): Resolution | null {
  const [own, theirs] = [textsOf(one), textsOf(other)];
  let alike = 0;
  for (const text of own) if (theirs.has(text)) alike++;
  if (alike * 2 <= own.size || alike * 2 <= theirs.size) return null;
  return {
    kind: 'merge',
    agents: [one.agent, other.agent],
    text: `let one agent do the work of both ${one.agent} and ${other.agent}: they claim mostly the same`,
  };
}

/** If they overlap only in single files, one of them gets these. */
function reassign(one: Claimed, other: Claimed, overlaps: readonly Overlap[]): Resolution | null {
  const literal = overlaps.every(
    ({ own, other: theirs }) => own.pattern.literal && theirs.pattern.literal,
  );
  if (!literal) return null;
  const files = unique(overlaps.map((each) => each.other.pattern));
  if (files.length > MOST_NAMED) return null;
  // An agent that would be left with nothing keeps them; otherwise the one that claims less.
  const canLose = (claimed: Claimed): boolean => !isEmpty(without(claimed, files));
  const [oneCan, otherCan] = [canLose(one), canLose(other)];
  if (!oneCan && !otherCan) return null;
  const oneKeeps =
    oneCan && otherCan ? patternsOf(one).length < patternsOf(other).length : otherCan;
  const [to, from] = oneKeeps ? [one, other] : [other, one];
  const names = files.map((each) => each.pattern);
  return {
    kind: 'reassign',
    to: to.agent,
    files: names,
    text: `leave ${names.join(', ')} to ${to.agent} alone, and take ${names.length === 1 ? 'it' : 'them'} from ${from.agent}`,
  };
}

/** The narrower scope becomes an exception of the wider one. */
function split(one: Claimed, other: Claimed, shared: Shared): Resolution | null {
  const ways: [Claimed, Pattern[]][] = [
    [one, shared.other],
    [other, shared.one],
  ];
  // Comparing two long lists takes long, and nobody reads the result.
  const short = ways.filter(([, narrow]) => narrow.length <= MOST_NAMED);
  if (short.length > 0 && !isWider(shared.one, shared.other)) short.reverse();
  for (const [wider, narrow] of short) {
    if (isEmpty(without(wider, narrow))) continue;
    const except = narrow.map((each) => each.pattern);
    return {
      kind: 'split',
      agent: wider.agent,
      except,
      text: `add ${except.join(' ')} to the "except" of ${wider.agent}`,
    };
  }
  return null;
}

/** The one that contains the other; if neither does, a folder is wider than a pattern. */
function isWider(one: Pattern[], other: Pattern[]): boolean {
  const within = (narrow: Pattern[], wide: Pattern[]): boolean =>
    narrow.every((each) => wide.some((around) => isWithin(each, around)));
  const [otherWithin, oneWithin] = [within(other, one), within(one, other)];
  if (otherWithin !== oneWithin) return otherWithin;
  return rank(one) >= rank(other);
}

function rank(patterns: Pattern[]): number {
  return patterns.some((each) => each.folder) ? 2 : patterns.some((each) => !each.literal) ? 1 : 0;
}
