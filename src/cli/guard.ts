import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { printable } from '../base/holder.js';
import { judge } from '../claims/check.js';
import { Claims, folderOf } from '../claims/claims.js';
import { type LocatedPath, Locator } from '../claims/locate.js';
import type { PathVerdict } from '../claims/types.js';
import type { ClaimArguments } from './claim-options.js';
import { verdictLines, warnIfMissing } from './claim-show.js';
import { EXIT, Exit, usageError } from './exit-codes.js';
import { type Streams, say } from './streams.js';

/** `holdfast claim guard --staged`: refuses a commit that changes what others have claimed. */
export async function guard(given: ClaimArguments, streams: Streams): Promise<number> {
  if (!given.staged) throw usageError('claim guard needs --staged', 'claim guard');
  const { hasFolder, ignoreInvalid } = given;
  const top = realpathSync.native(git('rev-parse', '--show-toplevel').replace(/\n$/, ''));
  const claims = hasFolder ? given.claims : claimsOf(top);
  if (hasFolder && warnIfMissing(claims.directory, streams)) return EXIT.ok;
  const paths = stagedPaths(claims, top);
  if (paths.length === 0) return EXIT.ok;
  const othersThan = async (as: string | undefined, ignoring: boolean): Promise<PathVerdict[]> => {
    const verdicts = await judge(folderOf(claims), paths, { as, ignoreInvalid: ignoring });
    return verdicts.filter(({ verdict }) => verdict === 'other');
  };
  let others = await othersThan(undefined, ignoreInvalid);
  if (others.length === 0) return EXIT.ok;
  // Who asks matters only now: finding out reads all processes above.
  const { agent } = given;
  // It has warned already.
  if (agent !== '') others = await othersThan(agent, true);
  if (others.length === 0) return EXIT.ok;
  const who = agent === '' ? 'an unknown agent (HOLDFAST_AGENT is not set)' : printable(agent);
  say(streams, `this commit of ${who} changes what others have claimed:`);
  for (const line of verdictLines(others)) say(streams, `  ${line}`);
  say(streams, 'not committed; unstage these with: git restore --staged PATH, or ask their owners');
  if (agent === '') {
    const advice = "set HOLDFAST_AGENT to your agent's name, or pass with: git commit --no-verify";
    say(streams, `if this is your own work: ${advice}`);
  }
  return EXIT.refused;
}

/** Those of the repository that commits, whatever the working directory. */
function claimsOf(top: string): Claims {
  return new Claims(undefined, { root: top });
}

/** The staged paths that the claims can be about. Names in the index: no link is followed. */
function stagedPaths(claims: Claims, top: string): LocatedPath[] {
  const locator = new Locator(folderOf(claims).root);
  if (!locator.isAbout(top)) {
    throw new Exit(
      EXIT.usage,
      `the claims are for ${claims.root}, but this repository is ${top}; use --dir for the folder of its claims, or --root`,
    );
  }
  // Keep git's environment: `git commit -- PATHS` uses another index.
  const [names, ...others] = [headOrNothing(), ...mergeHeads()].map(changedSince);
  return (
    [...(names ?? [])]
      // In a merge, a file that equals that of a parent was committed there.
      .filter((name) => others.every((changed) => changed.has(name)))
      .map((name) => locator.tracked(name, top))
      .filter((located) => located !== null)
  );
}

function changedSince(commit: string): Set<string> {
  const options = ['--name-only', '--no-renames', '--no-relative', '--ignore-submodules=none'];
  const names = git('diff-index', '--cached', ...options, '-z', commit);
  return new Set(names.split('\0').filter((name) => name !== ''));
}

/** The other parents, if this commit concludes a merge. */
function mergeHeads(): string[] {
  const file = git('rev-parse', '--git-path', 'MERGE_HEAD').trim();
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : [];
}

/** HEAD, or the empty tree before the first commit. */
function headOrNothing(): string {
  const head = spawnSync('git', ['rev-parse', '--quiet', '--verify', 'HEAD']);
  return head.status === 0 ? 'HEAD' : git('hash-object', '-t', 'tree', '/dev/null').trim();
}

function git(...args: string[]): string {
  const result = spawnSync('git', args, { encoding: 'utf8', maxBuffer: 2 ** 30 });
  if (result.error !== undefined)
    throw new Exit(EXIT.unavailable, `cannot run git: ${result.error.message}`);
  if (result.status === 0) return result.stdout;
  const reason = result.stderr.trim().split('\n').pop();
  throw new Exit(EXIT.data, `git ${args[0]}: ${reason}`);
}
