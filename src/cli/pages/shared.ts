// What several pages say.
import type { OptionGroup, PageOption } from './page.js';

export const TIMES =
  'TIME is a number of seconds (`30`, `1.5`), or has a unit: `500ms`, `10m`, `2h`, `1d`.';

export const URLS = 'URL is a lock on a server, PostgreSQL or etcd: see `holdfast run --help`.';

export const JSON_OPTION: PageOption = { flags: ['--json'], text: 'print JSON, for programs' };

export const CONFLICT_CODE: PageOption = {
  flags: ['-E', '--conflict-exit-code'],
  value: 'N',
  text: 'exit with N (0 to 255) instead of 75',
};

export const QUIET: PageOption = {
  flags: ['-q', '--quiet'],
  text: 'print only errors; the exit status tells the rest',
};

export const DIR: PageOption = {
  flags: ['--dir'],
  value: 'DIR',
  text: 'the folder with the claims; by default HOLDFAST_CLAIMS, else one in the .git of the repository of each PATH. A relative one is below the main working tree',
  completes: 'folder',
};

const ROOT: PageOption = {
  flags: ['--root'],
  value: 'DIR',
  text: 'what claims are relative to; by default the git top level of the folder with the claims, else that of the working directory',
  completes: 'folder',
};

const AGENT: PageOption = {
  flags: ['--agent'],
  value: 'NAME',
  text: 'whose claim it is; by default HOLDFAST_AGENT, else the name and pid of the program that runs the agent',
};

/** Of the actions that ask nobody who they are. */
const ANY_AGENT: PageOption = { ...AGENT, text: 'accepted, and without effect here' };

/** Each action of `claim` has these. */
export function place(who: 'agent' | 'anybody'): OptionGroup {
  return {
    title: 'Which claims',
    options: [DIR, ROOT, who === 'agent' ? AGENT : ANY_AGENT],
  };
}

export const EXIT_USAGE = ['64', 'wrong usage'] as const;
export const EXIT_INTERNAL = ['70', 'internal error'] as const;
export const EXIT_CANNOT_RUN = ['69', 'COMMAND cannot be run'] as const;
export const EXIT_FOLDER = [
  '73',
  'the folder with the claims cannot be created or opened',
] as const;
export const EXIT_INVALID = [
  '65',
  'a file in the folder is not a valid claim (see `holdfast claim set-aside --help`), or the lock failed',
] as const;

export const CLAIM_ENVIRONMENT = [
  ['HOLDFAST_CLAIMS', 'the folder with the claims, unless --dir is given'],
  ['HOLDFAST_AGENT', 'the name of the agent, unless --agent is given'],
] as const;
export const ONLY_FOLDER = CLAIM_ENVIRONMENT.slice(0, 1);

export const ONE_FILE =
  'A PATH is the same file in each working tree of its repository; symbolic links are followed. It is relative to the working directory; with --dir, to the root if the working directory is outside of all its working trees.';
