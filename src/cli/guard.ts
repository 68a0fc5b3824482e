import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { relative, resolve, sep } from 'node:path';
import { printable } from '../base/holder.js';
import type { Claims } from '../claims/claims.js';
import type { ClaimArguments } from './claim-options.js';
import { verdictLines } from './claim-show.js';
import { EXIT, Exit, usageError } from './exit-codes.js';
import { type Streams, say } from './streams.js';

/** `holdfast claim guard --staged`: refuses a commit with what others have claimed. */
export async function guard(given: ClaimArguments, streams: Streams): Promise<number> {
  if (!given.staged) throw usageError('claim guard needs --staged', 'claim');
  const { claims, agent, ignoreInvalid } = given;
  if (!existsSync(claims.directory)) {
    say(streams, `there is no folder ${claims.directory}, and so no claim`);
    return EXIT.ok;
  }
  const paths = stagedPaths(claims);
  if (paths.length === 0) return EXIT.ok;
  const options = { ...(agent !== '' && { as: agent }), ignoreInvalid };
  const verdicts = await claims.check(paths, options);
  const others = verdicts.filter(({ verdict }) => verdict === 'other');
  if (others.length === 0) return EXIT.ok;
  const who = agent === '' ? 'nobody (HOLDFAST_AGENT is not set)' : printable(agent);
  say(streams, `this commit of ${who} changes what others have claimed:`);
  for (const line of verdictLines(others)) say(streams, `  ${line}`);
  say(streams, 'not committed; leave these out: git restore --staged PATH, or ask their owner');
  return EXIT.refused;
}

/** Relative to the root of the claims. */
function stagedPaths(claims: Claims): string[] {
  const place = placeFor(git('rev-parse', '--show-toplevel').replace(/\n$/, ''), claims.root);
  // The environment is git's: of `git commit -- PATHS` the index is another.
  const [names, ...others] = [headOrNothing(), ...mergeHeads()].map(changedSince);
  return (
    [...(names ?? [])]
      // Of a merge, what is as one of the parents has it was committed there.
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

/** The other parents of a merge that is being concluded. */
function mergeHeads(): string[] {
  const file = git('rev-parse', '--git-path', 'MERGE_HEAD').trim();
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : [];
}

/** Before the first commit there is no HEAD, only the empty tree. */
function headOrNothing(): string {
  const head = spawnSync('git', ['rev-parse', '--quiet', '--verify', 'HEAD']);
  return head.status === 0 ? 'HEAD' : git('hash-object', '-t', 'tree', '/dev/null').trim();
}

type Place = (name: string) => string | null;

/** What a name in the repository is to the claims; `null`: it lies outside of their root. */
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
    `the claims are about ${root}, and this repository is ${top}: name the right folder with --dir, or what it is about with --root`,
  );
}

function isOutside(path: string): boolean {
  return path === '..' || path.startsWith(`..${sep}`);
}

/** Another working tree of the repository that the claims speak of. */
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
