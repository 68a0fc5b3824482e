import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { relative, resolve, sep } from 'node:path';
import { printable } from '../base/holder.js';
import type { Claims } from '../claims/claims.js';
import type { ClaimArguments } from './claim-options.js';
import { verdictLines, warnIfMissing } from './claim-show.js';
import { EXIT, Exit, usageError } from './exit-codes.js';
import { type Streams, say } from './streams.js';

/** `holdfast claim guard --staged`: refuses a commit that changes what others have claimed. */
export async function guard(given: ClaimArguments, streams: Streams): Promise<number> {
  if (!given.staged) throw usageError('claim guard needs --staged', 'claim');
  const { claims, agent, ignoreInvalid } = given;
  if (warnIfMissing(claims.directory, streams)) return EXIT.ok;
  const paths = stagedPaths(claims);
  if (paths.length === 0) return EXIT.ok;
  const options = { ...(agent !== '' && { as: agent }), ignoreInvalid };
  const verdicts = await claims.check(paths, options);
  const others = verdicts.filter(({ verdict }) => verdict === 'other');
  if (others.length === 0) return EXIT.ok;
  const who = agent === '' ? 'an unknown agent (HOLDFAST_AGENT is not set)' : printable(agent);
  say(streams, `this commit of ${who} changes what others have claimed:`);
  for (const line of verdictLines(others)) say(streams, `  ${line}`);
  say(streams, 'not committed; unstage these with: git restore --staged PATH, or ask their owners');
  return EXIT.refused;
}

/** The staged paths, relative to the root of the claims. */
function stagedPaths(claims: Claims): string[] {
  const place = placeFor(git('rev-parse', '--show-toplevel').replace(/\n$/, ''), claims.root);
  // Keep git's environment: `git commit -- PATHS` uses another index.
  const [names, ...others] = [headOrNothing(), ...mergeHeads()].map(changedSince);
  return (
    [...(names ?? [])]
      // In a merge, a file that equals that of a parent was committed there.
      .filter((name) => others.every((changed) => changed.has(name)))
      .map(place)
      .filter((name) => name !== null)
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

type Place = (name: string) => string | null;

/** Maps a name in the repository to a path of the claims; `null`: it is outside their root. */
function placeFor(top: string, root: string): Place {
  const [repository, base] = [realpathSync(top), realpathSync(root)];
  const down = relative(base, repository);
  if (!isOutside(down)) return (name) => (down === '' ? name : `${down}/${name}`);
  const up = relative(repository, base);
  if (!isOutside(up)) {
    return (name) => (name.startsWith(`${up}/`) ? name.slice(up.length + 1) : null);
  }
  if (isSameRepository(base)) return (name) => name;
  throw new Exit(
    EXIT.usage,
    `the claims are for ${root}, but this repository is ${top}; use --dir for the folder of its claims, or --root`,
  );
}

function isOutside(path: string): boolean {
  return path === '..' || path.startsWith(`..${sep}`);
}

/** Whether `base` is in another working tree of this repository. */
function isSameRepository(base: string): boolean {
  const theirs = spawnSync('git', ['-C', base, 'rev-parse', '--git-common-dir'], {
    encoding: 'utf8',
    env: withoutGit(),
  });
  if (theirs.status !== 0) return false;
  const ours = git('rev-parse', '--git-common-dir').trim();
  return realpathSync(resolve(ours)) === realpathSync(resolve(base, theirs.stdout.trim()));
}

function withoutGit(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([key]) => !key.startsWith('GIT_')));
}

function git(...args: string[]): string {
  const result = spawnSync('git', args, { encoding: 'utf8', maxBuffer: 2 ** 30 });
  if (result.error !== undefined)
    throw new Exit(EXIT.unavailable, `cannot run git: ${result.error.message}`);
  if (result.status === 0) return result.stdout;
  const reason = result.stderr.trim().split('\n').pop();
  throw new Exit(EXIT.data, `git ${args[0]}: ${reason}`);
}
