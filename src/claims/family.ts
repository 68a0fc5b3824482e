import type { ClaimsFolder } from './folder.js';
import type { Found, Wanted } from './model.js';
import { mayBeWithin } from './session.js';
import { isLive } from './states.js';
import type { ClaimStatus } from './types.js';

/** What decides whose sub-agent an agent is. */
type Member = Pick<Wanted, 'agent' | 'parent' | 'session'>;

/** Whether two agents are ancestor and descendant, so that their overlaps are no conflict. */
export type Related = (one: string, other: string) => boolean;

/**
 * Which agents are sub-agents of which. A parent is one within one session
 * alone: the same name in another session is somebody else. A parent without a
 * claim is a parent all the same; what is above it is not known.
 */
export class Family {
  readonly #lookUp: (agent: string) => Member | null;
  readonly #members = new Map<string, Member | null>();

  private constructor(lookUp: (agent: string) => Member | null) {
    this.#lookUp = lookUp;
  }

  /** Of requests, and the claims in a folder. Use it within one exclusive section. */
  static in(folder: ClaimsFolder, wanted: readonly Member[]): Family {
    const asking = new Map(wanted.map((each) => [each.agent, each]));
    return new Family((agent) => asking.get(agent) ?? memberOf(folder.find(agent)));
  }

  /** Of requests among themselves, or of claims that were read. */
  static among(members: Iterable<Member>): Family {
    const known = new Map([...members].map((each) => [each.agent, each]));
    return new Family((agent) => known.get(agent) ?? null);
  }

  /** The agents above one, nearest first. None if the chain returns to itself. */
  ancestorsOf(agent: string): readonly string[] {
    const { names, isCircle } = this.#chain(agent);
    return isCircle ? [] : names;
  }

  /** Whether the chain of parents leads back to the agent. */
  isInCircle(agent: string): boolean {
    const { names, isCircle } = this.#chain(agent);
    return isCircle && names.at(-1) === agent;
  }

  isAbove(one: string, other: string): boolean {
    return this.ancestorsOf(other).includes(one);
  }

  readonly areRelated: Related = (one, other) =>
    this.isAbove(one, other) || this.isAbove(other, one);

  #chain(agent: string): { names: string[]; isCircle: boolean } {
    const names: string[] = [];
    let member = this.#member(agent);
    while (member !== null && member.parent !== null) {
      const parent = this.#member(member.parent);
      if (parent !== null && !mayBeWithin(member.session, parent.session)) break;
      const isKnown = member.parent === agent || names.includes(member.parent);
      names.push(member.parent);
      if (isKnown) return { names, isCircle: true };
      member = parent;
    }
    return { names, isCircle: false };
  }

  #member(agent: string): Member | null {
    let member = this.#members.get(agent);
    if (member === undefined) {
      member = this.#lookUp(agent);
      this.#members.set(agent, member);
    }
    return member;
  }
}

/** A claim that has ended is nobody's parent. */
function memberOf(found: Found | null): Member | null {
  if (found?.claim == null || !isLive(found.state)) return null;
  const { parent, session } = found.claim;
  return { agent: found.agent, parent, session };
}

/** Of these claims, as far as they live. */
export function familyOf(found: readonly Found[]): Family {
  return Family.among(found.map(memberOf).filter((each) => each !== null));
}

/** Of requests and of claims as users see them, in which nothing tells sessions apart. */
export function familyInPlan(
  wanted: readonly Member[],
  existing: readonly Partial<ClaimStatus>[],
): Family {
  const others = existing.map(({ agent = '', parent = null }) => ({
    agent,
    parent,
    session: null,
  }));
  return Family.among([...others, ...wanted.map((each) => ({ ...each, session: null }))]);
}

/** A claim whose chain of parents returns to it, which only manual edits can cause. */
export function inCircle(found: Found): Found {
  return { ...found, state: 'invalid', reason: 'its "parent" leads back to it' };
}

/** These, with what is in a circle as invalid. */
export function withoutCircles(found: readonly Found[], family: Family): Found[] {
  return found.map((each) => (family.isInCircle(each.agent) ? inCircle(each) : each));
}
