import { setCommandName } from '../base/command-name.js';
import { LockHeldError } from '../base/errors.js';
import { ownCommand } from '../native/own-command.js';
import type { Decision } from './answer.js';
import { ClaimsOfSession, type Seen } from './claims-of-session.js';
import type { NamedByGit, TreeWide } from './git-changes.js';
import type { Host } from './hosts.js';
import type { HookInput } from './input.js';
import { type Session, sessionOf } from './session.js';
import * as words from './words.js';

// Not the function itself: naming it would load it.
setCommandName(() => ownCommand());

/** What becomes of a write to a path that nobody has claimed. */
export type Unclaimed = 'claim' | 'allow' | 'deny';

export interface HookOptions {
  host: Host;
  unclaimed: Unclaimed;
  /** The claims' folder, as it was given; `null`: that of the repository of each path. */
  directory: string | null;
  /** Who calls, where that is known; default what the input and the process tell. */
  session?: Session;
  /** Agents that rest, and leave what they have to the session. */
  yielding?: ReadonlySet<string>;
  /** The name of the session; default that of its process. */
  agent?: string | undefined;
  /** Where to look for the session's process from; default the parent of this one. */
  from?: number | undefined;
}

const PASS: Decision = { kind: 'pass', notice: null };
// How many tries: in each, another agent may be faster and take a path.
const TRIES = 5;

/**
 * Decides what a host asks. Never rejects: any failure becomes a refusal with
 * its reason.
 */
export async function decide(input: HookInput, options: HookOptions): Promise<Decision> {
  const { host } = options;
  if (input.kind === 'nothing') return PASS;
  if (input.kind === 'unreadable') return deny(words.notUnderstood(host, input.reason));
  let session: Session | null = null;
  try {
    session = options.session ?? sessionOf(host, input, options);
    if (session === null) return deny(words.noSession(host));
    return await decideFor(session, input, options);
  } catch (error) {
    if (error instanceof LockHeldError && session !== null) {
      return deny(words.nameIsTaken(session.parent ?? session.agent, error.holder?.pid ?? null));
    }
    return deny(words.failed(host, error));
  }
}

type Asked = Exclude<HookInput, { kind: 'nothing' | 'unreadable' }>;

async function decideFor(session: Session, input: Asked, options: HookOptions): Promise<Decision> {
  const { directory, yielding } = options;
  const claims = new ClaimsOfSession(session, { directory, cwd: input.cwd, yielding });
  switch (input.kind) {
    case 'write':
      return decideWrite(claims, input.paths, options.unclaimed);
    case 'shell':
      return decideShell(claims, input, options.unclaimed);
    case 'session-end':
      await claims.release(input.cwd);
      return PASS;
    case 'subagent-end':
      if (session.parent !== null) await claims.handOver(input.cwd);
      return PASS;
  }
}

async function decideWrite(
  claims: ClaimsOfSession,
  paths: readonly string[],
  unclaimed: Unclaimed,
): Promise<Decision> {
  const { session } = claims;
  for (let tries = 1; ; tries++) {
    const seen = await claims.look(paths);
    if (seen.some((each) => claims.isOfClaims(each))) {
      return deny(words.onlyPeople('Only holdfast may write the files of claims.'));
    }
    const others = seen.filter(({ verdict }) => verdict === 'other');
    const until = bypassOf(claims, seen);
    if (until !== null) return passBypassed(claims, { seen, others, until, unclaimed });
    const namesake = others.find(({ isNamesake }) => isNamesake);
    if (namesake !== undefined) {
      return deny(
        words.nameIsTaken(session.parent ?? session.agent, namesake.owner?.session?.pid ?? null),
      );
    }
    if (others.length > 0) return deny(words.otherHas(session, others, Date.now()));
    const fresh = seen.filter(({ verdict }) => verdict === 'unclaimed');
    const missing = unclaimed === 'deny' ? await claimedByNone(claims, fresh) : [];
    if (missing.length > 0) return deny(words.mustClaim(session, missing));
    const refusal = unclaimed === 'allow' ? null : await claims.take(seen);
    if (refusal === null) return pass(await noticesOf(claims, seen));
    if (tries === TRIES) return deny(words.notGranted(session, fresh, refusal.message));
  }
}

/** Without what a sub-agent's session has, or a resting session leaves. */
async function claimedByNone(claims: ClaimsOfSession, fresh: readonly Seen[]): Promise<Seen[]> {
  const { parent } = claims.session;
  const left = fresh.filter(({ leftBy }) => leftBy === null);
  if (parent === null || left.length === 0) return left;
  const paths = left.map(({ path }) => path);
  return (await claims.look(paths, parent)).filter(({ verdict }) => verdict !== 'mine');
}

interface Bypassed {
  seen: readonly Seen[];
  others: readonly Seen[];
  until: Date;
  unclaimed: Unclaimed;
}

/** What can be claimed is claimed all the same, so that the claims are right when it ends. */
async function passBypassed(claims: ClaimsOfSession, given: Bypassed): Promise<Decision> {
  const { seen, others, until, unclaimed } = given;
  for (const each of unclaimed === 'claim' ? seen : []) {
    await claims.take([each]).catch(() => {});
  }
  return pass([words.bypassed(until, others), ...(await noticesOf(claims, seen))]);
}

async function decideShell(
  claims: ClaimsOfSession,
  { command, cwd }: Pick<HookInput & { kind: 'shell' }, 'command' | 'cwd'>,
  unclaimed: Unclaimed,
): Promise<Decision> {
  if (!/\bgit\b|\bbypass\b|\bapply_?patch\b/.test(command)) return PASS;
  const { inspectLine } = await import('./shell-line.js');
  const line = inspectLine(command, cwd);
  if (line === null) return PASS;
  if (line.liftsClaims) {
    return deny(
      words.onlyPeople('"holdfast claim bypass" lets agents write what others have claimed.'),
    );
  }
  const notices: string[] = [];
  const checks = [
    ...oneForEach(line.treeWide).map((each) => () => decideTreeWide(claims, each)),
    () => decideNamed(claims, line.named),
    ...(line.patched.length > 0 ? [() => decideWrite(claims, line.patched, unclaimed)] : []),
  ];
  for (const check of checks) {
    const decision = await check();
    if (decision.kind === 'deny') return decision;
    if (decision.notice !== null) notices.push(decision.notice);
  }
  return pass([...new Set(notices)]);
}

async function decideTreeWide(claims: ClaimsOfSession, found: TreeWide): Promise<Decision> {
  const others = await claims.othersIn(found.cwd);
  if (others.length === 0) return PASS;
  const until = claims.bypass({ repository: claims.repositoryOf(found.cwd) });
  if (until !== null) return pass([words.bypassed(until, [])]);
  return deny(words.treeWide(found, others));
}

/** One for each folder: thousands of commands in a line ask the claims once. */
function oneForEach(found: readonly TreeWide[]): TreeWide[] {
  return [...new Map(found.toReversed().map((each) => [each.cwd, each])).values()].toReversed();
}

/** Asks as for a write, and claims nothing: what git restores is nobody's work. */
async function decideNamed(
  claims: ClaimsOfSession,
  commands: readonly NamedByGit[],
): Promise<Decision> {
  const seen = await claims.look([...new Set(commands.flatMap(({ paths }) => paths))]);
  const others = seen.filter(({ verdict }) => verdict === 'other');
  const [first] = others;
  const command = commands.find(({ paths }) => first !== undefined && paths.includes(first.path));
  if (command === undefined) return PASS;
  const until = bypassOf(claims, seen);
  if (until !== null) return pass([words.bypassed(until, others)]);
  const ofCommand = others.filter(({ path }) => command.paths.includes(path));
  return deny(words.gitOnOthers(claims.session, command, ofCommand));
}

function bypassOf(claims: ClaimsOfSession, seen: readonly Seen[]): Date | null {
  const inside = seen.filter(({ repository }) => repository !== null);
  const all = inside.map((each) => claims.bypass(each));
  const [first] = all;
  return first === undefined || all.some((each) => each === null) ? null : first;
}

async function noticesOf(claims: ClaimsOfSession, seen: readonly Seen[]): Promise<string[]> {
  const waiters = await claims.waiters(seen);
  return [
    ...(waiters.length > 0 ? [words.awaited(waiters)] : []),
    ...seen.flatMap(({ notice }) => (notice === null ? [] : [`Holdfast: ${notice}`])),
  ];
}

function pass(notices: readonly string[]): Decision {
  return { kind: 'pass', notice: notices.length === 0 ? null : notices.join('\n') };
}

function deny(reason: string): Decision {
  return { kind: 'deny', reason };
}
