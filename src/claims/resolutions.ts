import { isWithin } from './overlap.js';
import type { Pattern } from './pattern.js';
import { isEmpty, type Meeting, type Scope } from './scope.js';
import type { Resolution } from './types.js';

/** A scope, and whose. */
export interface Party extends Scope {
  readonly agent: string;
}

// Longer lists are read by nobody.
const MOST_NAMED = 20;

/**
 * What two agents that meet can do, the best first: `sequential` is always
 * possible, the others let them work at the same time.
 */
export function resolve(
  one: Party,
  other: Party,
  meetings: readonly Meeting[],
  otherIsFirst: boolean,
): Resolution[] {
  const shared: Shared = {
    one: unique(meetings.map((each) => each.own)),
    other: unique(meetings.map((each) => each.other)),
  };
  return [
    merge(one, other),
    reassign(one, other, meetings),
    split(one, other, shared),
    sequential(one, other, otherIsFirst),
  ].filter((each) => each !== null);
}

interface Shared {
  one: Pattern[];
  other: Pattern[];
}

function unique(patterns: Pattern[]): Pattern[] {
  return [...new Map(patterns.map((each) => [each.pattern, each])).values()];
}

/** Whoever has claimed already is at work. */
function sequential(one: Party, other: Party, otherIsFirst: boolean): Resolution {
  const [first, second] = otherIsFirst ? [other.agent, one.agent] : [one.agent, other.agent];
  return { kind: 'sequential', agents: [first, second], text: `run ${second} after ${first}` };
}

/** Where more than half of what each claims is claimed by the other as well. */
function merge(one: Party, other: Party): Resolution | null {
  const theirs = new Set(other.patterns.map((each) => each.pattern));
  const alike = one.patterns.filter((each) => theirs.has(each.pattern)).length;
  if (alike * 2 <= one.patterns.length || alike * 2 <= other.patterns.length) return null;
  return {
    kind: 'merge',
    agents: [one.agent, other.agent],
    text: `let one agent do the work of both ${one.agent} and ${other.agent}: they claim mostly the same`,
  };
}

/** Where they meet in single files: these go to one of the two. */
function reassign(one: Party, other: Party, meetings: readonly Meeting[]): Resolution | null {
  const literal = meetings.every(({ own, other: theirs }) => own.literal && theirs.literal);
  if (!literal) return null;
  const files = unique(meetings.map((each) => each.other));
  if (files.length > MOST_NAMED) return null;
  // Who would be left with nothing keeps them; else who claims less.
  const canLose = (party: Party): boolean =>
    !isEmpty({ ...party, except: [...party.except, ...files] });
  const [oneCan, otherCan] = [canLose(one), canLose(other)];
  if (!oneCan && !otherCan) return null;
  const oneKeeps = oneCan && otherCan ? one.patterns.length < other.patterns.length : otherCan;
  const [to, from] = oneKeeps ? [one, other] : [other, one];
  const names = files.map((each) => each.pattern);
  return {
    kind: 'reassign',
    to: to.agent,
    files: names,
    text: `leave ${names.join(', ')} to ${to.agent} alone, and take ${names.length === 1 ? 'it' : 'them'} from ${from.agent}`,
  };
}

/** The narrower one becomes what the wider one leaves out. */
function split(one: Party, other: Party, shared: Shared): Resolution | null {
  const ways: [Party, Pattern[]][] = [
    [one, shared.other],
    [other, shared.one],
  ];
  // To compare two long lists would take longer than anybody reads them.
  const short = ways.filter(([, narrow]) => narrow.length <= MOST_NAMED);
  if (short.length > 0 && !isWider(shared.one, shared.other)) short.reverse();
  for (const [wider, narrow] of short) {
    if (isEmpty({ ...wider, except: [...wider.except, ...narrow] })) continue;
    const except = narrow.map((each) => each.pattern);
    return {
      kind: 'split',
      agent: wider.agent,
      except,
      text: `give ${wider.agent} the except ${except.join(' ')}`,
    };
  }
  return null;
}

/** By what contains what; where neither does, a folder is wider than a pattern. */
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
