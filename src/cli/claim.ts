import { basename, join } from 'node:path';
import { printable } from '../base/holder.js';
import { outside } from '../claims/check.js';
import type { Claims } from '../claims/claims.js';
import { describeEnd } from '../claims/conflict-words.js';
import { DEFAULT_TTL } from '../claims/expiry.js';
import type { ClaimStatus, PathVerdict } from '../claims/types.js';
import { ownCommand } from '../native/own-command.js';
import { agentAction } from './claim-agents.js';
import { sayBypass } from './claim-bypass.js';
import { clear } from './claim-clear.js';
import { list } from './claim-list.js';
import { lookUntilFree } from './claim-look.js';
import {
  AGENT_ACTIONS,
  type ClaimAction,
  type ClaimArguments,
  parseClaimArguments,
} from './claim-options.js';
import { groupsOf, type PathGroup } from './claim-paths.js';
import { plan } from './claim-plan.js';
import { isRefusal, optionsOf, refusal, requestOf } from './claim-request.js';
import { runClaimed } from './claim-run.js';
import { conflictLines, reportInvalid, verdictLines, warnIfMissing } from './claim-show.js';
import { watch } from './claim-watch.js';
import { EXIT, Exit, exitCodeOf, messageOf, usageError } from './exit-codes.js';
import { guard } from './guard.js';
import { mcp as serveMcp } from './mcp.js';
import { formatJson, print, type Streams, say, widthOf } from './streams.js';
import { clockTime } from './time.js';

type Action = (given: ClaimArguments, streams: Streams) => Promise<number>;

// Some actions have their own files, which are loaded when called.
const ACTIONS: Record<ClaimAction, Action> = {
  add,
  wait: async (given, streams) => {
    try {
      return await add(given, streams);
    } catch (error) {
      if (!isReadOnly(error)) throw error;
      return await lookUntilFree(given, streams);
    }
  },
  check,
  list: (given, streams) => list(given, streams),
  renew: async ({ claims, agent, ttl = DEFAULT_TTL, quiet }, streams) => {
    const expiresAt = await claims.renew(agent, ttl);
    if (!quiet) print(streams, [`${printable(agent)}: renewed until ${clockTime(expiresAt)}`]);
    return EXIT.ok;
  },
  release,
  clear: (given, streams) => clear(given, streams),
  prune: async ({ claims, json, quiet }, streams) => {
    const pruned = await claims.prune();
    const lines = pruned.map(({ agent, reason }) => `${printable(agent)}: removed, ${reason}`);
    if (!quiet) print(streams, json ? formatJson(pruned) : lines);
    await reportInvalid(claims, streams);
    return EXIT.ok;
  },
  audit: async ({ claims, json, quiet }, streams) => {
    const conflicts = await claims.audit();
    if (!quiet) print(streams, json ? formatJson(conflicts) : conflictLines(conflicts));
    await reportInvalid(claims, streams);
    return conflicts.length > 0 ? EXIT.refused : EXIT.ok;
  },
  'set-aside': setAside,
  // Not the functions themselves: naming them would load them for every action.
  plan: (given, streams) => plan(given, streams),
  watch: (given, streams) => watch(given, streams),
  run: (given, streams) => runClaimed(given, streams),
  guard: (given, streams) => guard(given, streams),
};

/** `holdfast claim`. */
export async function claim(argv: string[], streams: Streams): Promise<number> {
  const [name = '', ...rest] = argv;
  if (AGENT_ACTIONS.includes(name)) {
    return agentAction(name, rest, streams);
  }
  const { action, given } = parseOrFail(argv);
  const isBypassed = sayBypass(given, streams);
  // The guard of a commit is a hook as well.
  if (isBypassed && action === 'guard') return EXIT.ok;
  try {
    return await ACTIONS[action](given, streams);
  } catch (error) {
    if (error instanceof Exit || exitCodeOf(error) === EXIT.software) throw error;
    throw new Exit(exitCodeOf(error), asTyped(messageOf(error)));
  }
}

/** `holdfast mcp`, which is loaded with this call. */
export async function mcp(argv: string[], streams: Streams): Promise<number> {
  return serveMcp(argv, streams);
}

const TYPED = new Map([
  ['agent', '--agent'],
  ['files', 'PATH'],
  ['directories', 'PATH'],
  ['paths', 'PATH'],
  ['except', '--except'],
  ['file', 'FILE'],
  ['ttl', '--ttl'],
  ['session', '--session'],
]);

/** Names what the user has typed instead of the field of the request. */
function asTyped(message: string): string {
  return message.replace(
    /^"(?:request\.)?(\w+)(?:\[\d+\]|\.pid)?"/,
    (name, field: string) => TYPED.get(field) ?? name,
  );
}

/** Parsing also checks the folder, so its errors may be those of the library. */
function parseOrFail(argv: string[]): ReturnType<typeof parseClaimArguments> {
  try {
    return parseClaimArguments(argv);
  } catch (error) {
    const code = exitCodeOf(error);
    if (error instanceof Exit || code === EXIT.software) throw error;
    if (code === EXIT.usage) throw usageError((error as Error).message, `claim ${argv[0]}`);
    throw new Exit(code, messageOf(error));
  }
}

async function setAside(given: ClaimArguments, streams: Streams): Promise<number> {
  const {
    claims,
    paths: [file = ''],
    quiet,
  } = given;
  const target = await claims.setAside(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    const where = `no claim file ${printable(basename(file))} in ${printable(claims.directory)}`;
    throw new Exit(EXIT.data, `there is ${where}; see: ${ownCommand()} claim list`);
  });
  if (!quiet) print(streams, [`${printable(file)}: set aside as ${printable(target)}`]);
  return EXIT.ok;
}

/**
 * Claims in each repository that a path is in, one after the other. Several
 * folders cannot be changed in one step: what one of them refuses leaves the
 * claims in those before it, and says so.
 */
async function add(given: ClaimArguments, streams: Streams): Promise<number> {
  const groups = groupsOf(given.paths, given);
  const statuses: (ClaimStatus | undefined)[] = [];
  for (const [at, group] of groups.entries()) {
    try {
      const status = await addGroup(group, groups.length > 1, given, streams);
      statuses.push(status);
    } catch (error) {
      const outcome = at === 0 ? undefined : outcomeOf(groups.slice(0, at), groups.slice(at));
      if (isRefusal(error)) return refusal(error, given, streams, outcome);
      if (outcome !== undefined && !given.quiet) say(streams, outcome);
      throw error;
    }
  }
  if (given.json && !given.quiet) {
    print(streams, formatJson(statuses.length === 1 ? statuses[0] : statuses));
  }
  return EXIT.ok;
}

/** What a call about several repositories has done when one of them refuses. */
function outcomeOf(done: readonly PathGroup[], rest: readonly PathGroup[]): string {
  const list = (some: readonly PathGroup[]): string =>
    some.flatMap(({ words }) => words.map(printable)).join(' ');
  return `claimed: ${list(done)}; not claimed: ${list(rest)}`;
}

/** The claim as it is then, for `--json`. */
async function addGroup(
  group: PathGroup,
  isOneOfSeveral: boolean,
  given: ClaimArguments,
  streams: Streams,
): Promise<ClaimStatus | undefined> {
  const { agent, session, replace, json, quiet } = given;
  // Says what to do.
  const claims = group.claims ?? given.claims;
  const request = {
    ...requestOf(group, isOneOfSeveral, given),
    extend: !replace,
    ...(session !== undefined && { session: { pid: session } }),
  };
  const made = await claims.claim(request, optionsOf(given, streams));
  // Warnings of overwritten claims are emitted in the next tick, and belong
  // before the result.
  await new Promise<void>((resolve) => process.nextTick(resolve));
  if (quiet) return undefined;
  if (json) return (await claims.list()).find((each) => each.agent === agent);
  const scope = [...made.directories, ...made.files].map(printable).join(' ');
  const where = isOneOfSeveral ? ` in ${printable(claims.root)}` : '';
  print(streams, [
    `${printable(agent)}: claimed ${scope}${where} ${describeEnd(made.expiresAt, { pid: session ?? null }, clockTime)}`,
  ]);
  return undefined;
}

/** The folder of the claims cannot be written to, as in a sandbox. */
function isReadOnly(error: unknown): boolean {
  return ['EACCES', 'EPERM', 'EROFS'].includes((error as NodeJS.ErrnoException | null)?.code ?? '');
}

async function release(given: ClaimArguments, streams: Streams): Promise<number> {
  const { agent, force, quiet } = given;
  if (given.paths.length === 0) {
    const released = await given.claims.release(agent, { force });
    if (!released) throw new Exit(EXIT.data, `${printable(agent)} has no claim to release`);
    if (!quiet) print(streams, [`${printable(agent)}: released`]);
    return EXIT.ok;
  }
  let released = false;
  for (const { claims, places, words } of groupsOf(given.paths, given)) {
    // Says what to do.
    const some = claims ?? given.claims;
    const paths = words.map((word) => places.except(word));
    released = (await some.release(agent, { force, paths })) || released;
  }
  const what = given.paths.map(printable).join(' ');
  if (!released) {
    throw new Exit(EXIT.data, `${printable(agent)} has nothing of ${what} to release`);
  }
  if (!quiet) print(streams, [`${printable(agent)}: released ${what}`]);
  return EXIT.ok;
}

async function check(given: ClaimArguments, streams: Streams): Promise<number> {
  const { hasFolder, strict, conflictCode, json, quiet } = given;
  const groups = groupsOf(given.paths, given);
  const found = new Map<string, PathVerdict>();
  for (const { claims, places, words } of groups) {
    if (hasFolder) warnIfMissing(given.claims.directory, streams);
    const paths = words.map((word) => places.path(word));
    const verdicts = claims === null ? paths.map(outside) : await verdictsOf(claims, paths, given);
    for (const [at, verdict] of verdicts.entries()) {
      found.set(words[at] as string, asWord(verdict, words[at] as string, claims, groups));
    }
  }
  const verdicts = given.paths.map((word) => found.get(word) as PathVerdict);
  if (!quiet) {
    const width = widthOf(streams.stdout);
    print(streams, json ? formatJson(verdicts) : verdictLines(verdicts, width));
  }
  const refused = verdicts.some(
    ({ verdict }) => verdict === 'other' || (strict && verdict === 'unclaimed'),
  );
  return refused ? conflictCode : EXIT.ok;
}

/** Who asks matters only if somebody has a path. */
async function verdictsOf(
  claims: Claims,
  paths: string[],
  given: ClaimArguments,
): Promise<PathVerdict[]> {
  const { ignoreInvalid } = given;
  const verdicts = await claims.check(paths, { ignoreInvalid });
  const isClaimed = verdicts.some(({ verdict }) => verdict === 'other');
  if (!isClaimed || given.agent === '') return verdicts;
  // It has warned already.
  return claims.check(paths, { as: given.agent, ignoreInvalid: true });
}

/** What is outside is shown as it was typed; of several repositories, each path with its root. */
function asWord(
  verdict: PathVerdict,
  word: string,
  claims: Claims | null,
  groups: readonly PathGroup[],
): PathVerdict {
  if (verdict.verdict === 'outside') return { ...verdict, path: word };
  if (groups.length === 1 || claims === null) return verdict;
  return { ...verdict, path: join(claims.root, verdict.path) };
}
