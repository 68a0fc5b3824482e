import { isAbsolute, resolve } from 'node:path';
import { Claims } from '../claims/claims.js';
import { findSessionProcess, identify } from '../claims/identity.js';
import { baseOfFolders, defaultPlace } from '../claims/root.js';
import { AGENT_HOSTS } from './agent-hosts.js';
import { Asked, EXIT, suggestion, usageError } from './exit-codes.js';
import { isLockUrl } from './is-lock-url.js';
import {
  CONFLICT_EXIT_CODE,
  FLAG,
  parseConflictCode,
  parseMixed,
  QUIET,
  TEXT,
  TIMEOUT,
} from './options.js';
import { parseTime } from './time.js';

export interface ClaimArguments {
  /** Those of the folder that was given, else of the repository of the working directory. */
  readonly claims: Claims;
  /** The same; `null`: no folder was given, and the working directory is in no repository. */
  readonly claimsHere: Claims | null;
  /** An empty string if nobody knows it. */
  agent: string;
  /** The process with which the claim ends. */
  session: number | undefined;
  /** As they were typed. */
  paths: string[];
  /** The folder was given. */
  hasFolder: boolean;
  json: boolean;
  /** Of `list`. */
  long: boolean;
  quiet: boolean;
  except: string[];
  task: string | undefined;
  ttl: number | undefined;
  timeout: number;
  strict: boolean;
  force: boolean;
  replace: boolean;
  staged: boolean;
  ignoreInvalid: boolean;
  conflictCode: number;
  /** Of `run`: what to run. */
  command: string[];
}

/** The options of every action. */
export const COMMON = { dir: TEXT, agent: TEXT, root: TEXT } as const;

const CLAIMING = {
  quiet: QUIET,
  ttl: TEXT,
  task: TEXT,
  except: { ...TEXT, multiple: true },
  timeout: TIMEOUT,
  force: FLAG,
  'ignore-invalid': FLAG,
} as const;

/** The options of each action, and how many words it takes. */
export const ACTIONS = {
  add: { options: { ...CLAIMING, json: FLAG, session: TEXT, replace: FLAG }, words: 'some' },
  wait: { options: { ...CLAIMING, json: FLAG, session: TEXT }, words: 'some' },
  run: {
    options: { ...CLAIMING, 'conflict-exit-code': CONFLICT_EXIT_CODE },
    words: 'some',
  },
  check: {
    options: {
      json: FLAG,
      quiet: QUIET,
      strict: FLAG,
      'conflict-exit-code': CONFLICT_EXIT_CODE,
      'ignore-invalid': FLAG,
    },
    words: 'some',
  },
  list: { options: { json: FLAG, long: { ...FLAG, short: 'l' } }, words: 'none' },
  watch: { options: { json: FLAG }, words: 'none' },
  renew: { options: { ttl: TEXT, quiet: QUIET }, words: 'none' },
  release: { options: { force: FLAG, quiet: QUIET }, words: 'any' },
  clear: { options: { force: FLAG, quiet: QUIET }, words: 'none' },
  prune: { options: { json: FLAG, quiet: QUIET }, words: 'none' },
  audit: { options: { json: FLAG, quiet: QUIET }, words: 'none' },
  'set-aside': { options: { quiet: QUIET }, words: 'one' },
  plan: { options: { json: FLAG, quiet: QUIET }, words: 'one' },
  guard: { options: { staged: FLAG, 'ignore-invalid': FLAG }, words: 'none' },
} as const;

export type ClaimAction = keyof typeof ACTIONS;

/** Actions for programs that run agents, with options of their own. */
export const AGENT_ACTIONS = ['hook', 'install-hook', 'bypass'];

/** Throws usage errors, and Asked. */
export function parseClaimArguments(argv: string[]): {
  action: ClaimAction;
  given: ClaimArguments;
} {
  const [word = '', ...words] = argv;
  if (!Object.hasOwn(ACTIONS, word)) throw noAction(argv);
  const action = word as ClaimAction;
  const page = `claim ${action}`;
  // What follows belongs to the command to run.
  const end = action === 'run' ? words.indexOf('--') : -1;
  const rest = end < 0 ? words : words.slice(0, end);
  const { values, positionals } = parse(rest, action);
  const string = (name: string): string | undefined => values[name] as string | undefined;
  const time = (name: string): number | undefined => {
    const value = string(name);
    return value === undefined ? undefined : parseTime(value, `--${name}`, page);
  };
  const directory = folderFrom(string('dir') ?? fromEnvironment('HOLDFAST_CLAIMS'));
  // Computed late: it reads all processes above this one, and most checks do not need it.
  let known: ReturnType<typeof whoAsks> | undefined;
  const asker = (): ReturnType<typeof whoAsks> => {
    known ??= whoAsks(string('agent'));
    return known;
  };
  const session = pidOf(string('session'));
  const mustBeNamed = ['add', 'wait', 'run', 'renew', 'release'].includes(action);
  if (mustBeNamed && asker().agent === '') {
    throw usageError('the agent is missing; use --agent or HOLDFAST_AGENT', page);
  }
  const claimsHere = claimsIn(action === 'plan' ? directory || '.' : directory, string('root'));
  const given: ClaimArguments = {
    get claims() {
      if (claimsHere !== null) return claimsHere;
      throw usageError(
        'the folder with the claims is missing, and the working directory is in no git repository; use --dir or HOLDFAST_CLAIMS',
        page,
      );
    },
    claimsHere,
    get agent() {
      return asker().agent;
    },
    get session() {
      return session ?? asker().session;
    },
    paths: positionals,
    hasFolder: directory !== '',
    json: values['json'] === true,
    long: values['long'] === true,
    quiet: values['quiet'] === true,
    except: (values['except'] as string[] | undefined) ?? [],
    task: string('task'),
    ttl: time('ttl'),
    timeout: time('timeout') ?? (action === 'wait' ? Number.POSITIVE_INFINITY : 0),
    strict: values['strict'] === true,
    force: values['force'] === true,
    replace: values['replace'] === true,
    staged: values['staged'] === true,
    ignoreInvalid: values['ignore-invalid'] === true,
    conflictCode: parseConflictCode(string('conflict-exit-code'), page),
    command: end < 0 ? [] : words.slice(end + 1),
  };
  if (action === 'run' && given.command.length === 0) {
    throw usageError('COMMAND is missing: claim run PATH… -- COMMAND', page);
  }
  return { action, given };
}

const ACTION_NAMES = [...Object.keys(ACTIONS), ...AGENT_ACTIONS];

/** What `holdfast claim` without an action, or with a wrong one, ends with. */
function noAction([word = '', action, ...rest]: string[]): Error {
  // Not a success: a script may have lost the action.
  if (word === '') return new Asked('help', 'claim', EXIT.usage);
  if (word === 'help') {
    if (action === undefined) return new Asked('help', 'claim');
    const isOne = rest.length === 0 && ACTION_NAMES.includes(action);
    if (isOne) return new Asked('help', `claim ${action}`);
    return usageError(`unknown action '${action}'; ${suggestion(action, ACTION_NAMES)}`, 'claim');
  }
  // Throws.
  if (word.startsWith('-')) parseMixed([word], {}, 'claim');
  return usageError(`unknown action '${word}'; ${suggestion(word, ACTION_NAMES)}`, 'claim');
}

/**
 * Who asks, and the process with which its claims end: that of a session whose
 * name nobody had to give. A process that serves several sessions does not
 * count as theirs.
 */
function whoAsks(given: string | undefined): { agent: string; session: number | undefined } {
  const findProcess = () => {
    const found = findSessionProcess(AGENT_HOSTS, process.ppid);
    return found?.isShared === false ? found : null;
  };
  const found = identify({ agent: given, findProcess });
  return { agent: found?.agent ?? '', session: found?.process?.mark.pid };
}

function pidOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,10}$/.test(text)) return Number(text);
  throw usageError(`--session takes the pid of a process, not '${text}'`, 'claim add');
}

export function fromEnvironment(name: string): string {
  const value = process.env[name] ?? '';
  if (value.includes('\ufffd')) throw usageError(`${name} is not UTF-8`, 'claim');
  return value;
}

/** The same folder from each working tree of a repository, and wherever in it a hook runs. */
export function folderFrom(text: string): string {
  checkIsFolder(text, 'claim');
  return text === '' || isAbsolute(text) ? text : resolve(baseOfFolders(), text);
}

/** A folder of this name would be made, and claims there would bind nobody else. */
export function checkIsFolder(text: string | undefined, page: string): void {
  if (text === undefined || !isLockUrl(text)) return;
  throw usageError(
    'claims need a folder, but --dir or HOLDFAST_CLAIMS is a URL; for a folder of this name, write ./ in front',
    page,
  );
}

export function claimsIn(directory: string, root: string | undefined): Claims | null {
  const options = root === undefined ? {} : { root };
  if (directory !== '') return new Claims(directory, options);
  const place = defaultPlace(root === undefined ? process.cwd() : resolve(root));
  return place === null ? null : new Claims(undefined, options);
}

function parse(
  args: string[],
  action: ClaimAction,
): { values: Record<string, unknown>; positionals: string[] } {
  const { options, words } = ACTIONS[action];
  const name = `claim ${action}`;
  const parsed = parseMixed(args, { ...options, ...COMMON }, name);
  const { positionals } = parsed;
  const [first] = positionals;
  if (words === 'none' && first !== undefined) {
    throw usageError(`unexpected argument '${first}' for ${name}`, name);
  }
  if (words === 'some' && first === undefined) throw usageError('PATH is missing', name);
  if (words === 'one' && positionals.length !== 1) {
    const input = action === 'plan' ? ', or - for standard input' : '';
    throw usageError(`${name} takes one FILE${input}`, name);
  }
  return parsed;
}
