// The actions of `holdfast claim` for programs that run agents. Loaded when one is called.

import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LONGEST_BYPASS, setBypass } from '../agents/bypass.js';
import { claimsFolderAt } from '../agents/claims-of-session.js';
import { runHook } from '../agents/hook-main.js';
import { HOST_NAMES, HOSTS, type HostName, isHostName } from '../agents/hosts.js';
import {
  type Installation,
  type Package,
  planInstallation,
  UnchangedSettings,
} from '../agents/install/install.js';
import { hostsWithHook } from '../agents/install/installed.js';
import { CannotInstall } from '../agents/install/target.js';
import { hostAbove } from '../agents/session.js';
import { printable } from '../base/holder.js';
import { defaultPlace } from '../claims/root.js';
import { otherWorkingTrees } from '../claims/working-trees.js';
import { ownCommand } from '../native/own-command.js';
import { checkIsFolder } from './claim-options.js';
import { EXIT, Exit, usageError } from './exit-codes.js';
import { answerFirst, FLAG, parseMixed, TEXT } from './options.js';
import { print, type Streams, say } from './streams.js';
import { clockTime, parseTime } from './time.js';

/** The page of its help. */
const INSTALL_HOOK = 'claim install-hook';
const BYPASS = 'claim bypass';
const SHORTEST_BYPASS = 1000;
/** So many working trees without the hook are named. */
const MOST_TREES = 5;

export const OPTIONS = {
  'install-hook': {
    for: TEXT,
    user: FLAG,
    'dry-run': FLAG,
    remove: FLAG,
    unclaimed: TEXT,
    dir: TEXT,
  },
  bypass: { dir: TEXT },
} as const;

type Action = (argv: string[], streams: Streams) => Promise<number>;

const ACTIONS: Record<string, Action> = {
  // It has its own streams: what a host reads must reach it unchanged.
  hook: (argv) => runHook(argv),
  'install-hook': installHook,
  bypass,
};

export async function agentAction(name: string, argv: string[], streams: Streams): Promise<number> {
  // Its own small parser, which hosts wait for, does not know these.
  if (name === 'hook') answerFirst(argv, 'claim hook');
  return (ACTIONS[name] as Action)(argv, streams);
}

async function installHook(argv: string[], streams: Streams): Promise<number> {
  const { values, positionals } = parseMixed(argv, OPTIONS['install-hook'], INSTALL_HOOK);
  if (positionals[0] !== undefined)
    throw usageError(`unexpected argument '${positionals[0]}'`, INSTALL_HOOK);
  const name = values.for ?? '';
  if (!isHostName(name)) {
    const said = name === '' ? '--for is missing: it takes' : `not '${name}': --for takes`;
    throw usageError(`${said} one of ${HOST_NAMES.join(', ')}`, INSTALL_HOOK);
  }
  if (process.platform === 'win32') {
    throw new Exit(
      EXIT.unavailable,
      'install-hook writes a line for a POSIX shell, which Windows lacks',
    );
  }
  if (values.user === true && name === 'git') {
    throw usageError(
      'git hooks belong to a repository, not to a user: leave out --user',
      INSTALL_HOOK,
    );
  }
  const unclaimed = values.unclaimed ?? null;
  if (unclaimed !== null && !['claim', 'allow', 'deny'].includes(unclaimed)) {
    throw usageError(`--unclaimed takes claim, allow or deny, not '${unclaimed}'`, INSTALL_HOOK);
  }
  checkIsFolder(values.dir, INSTALL_HOOK);
  const isDry = values['dry-run'] === true;
  const project = values.user === true ? null : projectHere();
  try {
    const planned = planInstallation({
      host: HOSTS[name],
      project,
      remove: values.remove === true,
      package: thisPackage(),
      unclaimed,
      directory: values.dir === undefined ? null : resolve(values.dir),
      gitHooks: name === 'git' ? gitHooks() : null,
    });
    show(planned, streams);
    if (project !== null && values.remove !== true) sayWhereMissing(name, project, streams);
    if (isDry) say(streams, 'nothing was changed (--dry-run)');
    else planned.apply();
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof CannotInstall)) throw error;
    if (error instanceof UnchangedSettings && error.diff.length > 0) {
      print(streams, ['It would have to contain:', ...error.diff]);
    }
    throw new Exit(error.kind === 'access' ? EXIT.cantCreate : EXIT.data, error.message);
  }
}

/** The working tree, whose settings these are; outside of a repository, the folder. */
function projectHere(): string {
  return defaultPlace(process.cwd())?.root ?? process.cwd();
}

/** Settings are not committed, so each working tree needs its own. Git's hooks are shared. */
function sayWhereMissing(name: HostName, project: string, streams: Streams): void {
  if (name === 'git') return;
  const missing = otherWorkingTrees(project).filter((tree) => !hostsWithHook(tree).has(name));
  if (missing.length === 0) return;
  const more = missing.length - MOST_TREES;
  const trees = [
    ...missing.slice(0, MOST_TREES).map(printable),
    ...(more > 0 ? [`and ${more} more`] : []),
  ].join(', ');
  say(
    streams,
    `Not in the other working trees: ${trees}. Run this there too, or once with --user.`,
  );
}

function show({ file, diff, notes }: Installation, streams: Streams): void {
  print(streams, diff.length === 0 ? `${file}: nothing to change` : [`${file}:`, ...diff]);
  for (const note of notes) say(streams, note);
}

/** The files of this package; this one is two folders deep, as it is in `src` and in `dist`. */
function thisPackage(): Package {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  return {
    node: process.execPath,
    hook: join(root, 'dist', 'hook.cjs'),
    command: join(root, 'dist', 'cli', 'holdfast.js'),
  };
}

/** The folder with the hooks of this repository, which core.hooksPath may have moved. */
function gitHooks(): string | null {
  const { status, stdout } = spawnSync('git', ['rev-parse', '--git-path', 'hooks'], {
    encoding: 'utf8',
  });
  return status === 0 ? resolve(stdout.replace(/\n$/, '')) : null;
}

async function bypass(argv: string[], streams: Streams): Promise<number> {
  // Else it would be an unknown option.
  const negative = argv.find((word) => /^-[\d.]/.test(word));
  if (negative !== undefined) throw noBypassTime(negative);
  const { values, positionals } = parseMixed(argv, OPTIONS.bypass, BYPASS);
  const [time, extra] = positionals;
  if (time === undefined || extra !== undefined) {
    throw usageError('bypass takes one TIME, such as 10m; 0 ends it', BYPASS);
  }
  const milliseconds = parseTime(time, 'bypass', BYPASS);
  if (milliseconds !== 0 && !(milliseconds >= SHORTEST_BYPASS && milliseconds <= LONGEST_BYPASS)) {
    throw noBypassTime(time);
  }
  checkIsPerson();
  checkIsFolder(values.dir, BYPASS);
  const directory = claimsFolderAt(process.cwd(), values.dir ?? null);
  if (directory === null)
    throw usageError('the working directory is in no git repository; use --dir', BYPASS);
  const until = setBypass(directory, milliseconds);
  print(
    streams,
    until === null
      ? 'claims hold again'
      : `until ${clockTime(until)} hooks let every write through; it ends earlier with: ${ownCommand()} claim bypass 0`,
  );
  return EXIT.ok;
}

function noBypassTime(text: string): Error {
  return usageError(
    `bypass takes a time from 1s to 24h, such as 10m, not '${text}'; 0 ends it`,
    BYPASS,
  );
}

/** Does not check for a terminal: an agent can get one with `script`. */
function checkIsPerson(): void {
  const above = hostAbove();
  const agent = process.env['HOLDFAST_AGENT'] ?? '';
  if (above === null && agent === '') return;
  const why =
    above === null
      ? `HOLDFAST_AGENT is set to ${printable(agent)}`
      : `this runs below ${above.host.title}, pid ${above.pid}`;
  throw new Exit(
    EXIT.refused,
    `only a person may let agents pass, and ${why}: ask the person to run it in a terminal of their own`,
  );
}
