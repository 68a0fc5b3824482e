import { realpathSync, statSync } from 'node:fs';
import { relative, resolve, sep } from 'node:path';
import { parseArgs } from 'node:util';
import { Claims } from '../claims/claims.js';
import { defaultRoot, escapePath } from '../claims/pattern.js';
import { usageError } from './exit-codes.js';
import { parseTime } from './time.js';

export interface ClaimArguments {
  claims: Claims;
  /** Without `--agent` an empty string. */
  agent: string;
  /** As they were typed. */
  paths: string[];
  /** The folder was named. */
  hasFolder: boolean;
  json: boolean;
  quiet: boolean;
  except: string[];
  task: string | undefined;
  ttl: number | undefined;
  timeout: number;
  strict: boolean;
  force: boolean;
  staged: boolean;
  ignoreInvalid: boolean;
  conflictCode: number;
}

const flag = { type: 'boolean', default: false } as const;
const text = { type: 'string' } as const;
const COMMON = { dir: text, agent: text, root: text, help: { ...flag, short: 'h' } } as const;
const json = flag;
const quiet = { ...flag, short: 'q' } as const;
const ttl = text;
const force = flag;
const invalid = { 'ignore-invalid': flag } as const;

/** What each of them takes, and how many words. */
const ACTIONS = {
  add: {
    options: {
      json,
      quiet,
      ttl,
      task: text,
      except: { ...text, multiple: true },
      timeout: { ...text, short: 'w' },
      ...invalid,
    },
    words: 'some',
  },
  check: {
    options: {
      json,
      quiet,
      strict: flag,
      'conflict-exit-code': { ...text, short: 'E' },
      ...invalid,
    },
    words: 'some',
  },
  list: { options: { json }, words: 'none' },
  renew: { options: { ttl }, words: 'none' },
  release: { options: { force }, words: 'none' },
  clear: { options: { force }, words: 'none' },
  prune: { options: { json }, words: 'none' },
  audit: { options: { json }, words: 'none' },
  plan: { options: { json }, words: 'one' },
  guard: { options: { staged: flag, ...invalid }, words: 'none' },
} as const;

export type ClaimAction = keyof typeof ACTIONS;

/** `null`: help is asked for. */
export function parseClaimArguments(
  argv: string[],
): { action: ClaimAction; given: ClaimArguments } | null {
  const [word = '', ...rest] = argv;
  if (word === '--help' || word === '-h') return null;
  if (!Object.hasOwn(ACTIONS, word)) {
    const names = Object.keys(ACTIONS).join(', ');
    const problem = word === '' ? 'one is needed' : `there is no 'claim ${word}'`;
    throw usageError(`${problem}: ${names}`, 'claim');
  }
  const action = word as ClaimAction;
  const { values, positionals } = parse(rest, action);
  if (values['help'] === true) return null;
  const string = (name: string): string | undefined => values[name] as string | undefined;
  const time = (name: string): number | undefined => {
    const value = string(name);
    return value === undefined ? undefined : parseTime(value, `--${name}`, 'claim');
  };
  const directory = string('dir') ?? fromEnvironment('HOLDFAST_CLAIMS');
  if (directory === '' && action !== 'plan') {
    throw usageError('which claims? name their folder with --dir or HOLDFAST_CLAIMS', 'claim');
  }
  const agent = string('agent') ?? process.env['HOLDFAST_AGENT'] ?? '';
  if (agent === '' && ['add', 'renew', 'release'].includes(action)) {
    throw usageError('whose claim? name the agent with --agent or HOLDFAST_AGENT', 'claim');
  }
  const root = string('root');
  const given: ClaimArguments = {
    claims: new Claims(directory || '.', root === undefined ? {} : { root }),
    agent,
    paths: positionals,
    hasFolder: directory !== '',
    json: values['json'] === true,
    quiet: values['quiet'] === true,
    except: (values['except'] as string[] | undefined) ?? [],
    task: string('task'),
    ttl: time('ttl'),
    timeout: time('timeout') ?? 0,
    strict: values['strict'] === true,
    force: values['force'] === true,
    staged: values['staged'] === true,
    ignoreInvalid: values['ignore-invalid'] === true,
    conflictCode: exitCode(string('conflict-exit-code')),
  };
  return { action, given };
}

/** One folder wherever a hook runs: from the git top level, if it is relative. */
function fromEnvironment(name: string): string {
  const value = process.env[name] ?? '';
  if (value.includes('\ufffd')) throw usageError(`${name} is not UTF-8`, 'claim');
  return value === '' ? '' : resolve(defaultRoot(process.cwd()), value);
}

function parse(
  args: string[],
  action: ClaimAction,
): { values: Record<string, unknown>; positionals: string[] } {
  const { options, words } = ACTIONS[action];
  let parsed: { values: Record<string, unknown>; positionals: string[] };
  try {
    parsed = parseArgs({ args, allowPositionals: true, options: { ...options, ...COMMON } });
  } catch (error) {
    throw usageError((error as Error).message.split('. ')[0] ?? '', 'claim');
  }
  const { values, positionals } = parsed;
  if (values['help'] === true) return parsed;
  const [first] = positionals;
  if (words === 'none' && first !== undefined) {
    throw usageError(`claim ${action} takes no '${first}'`, 'claim');
  }
  if (words === 'some' && first === undefined) throw usageError('a path is needed', 'claim');
  if (words === 'one' && positionals.length !== 1) {
    throw usageError(`claim ${action} takes one FILE, or - for standard input`, 'claim');
  }
  return parsed;
}

function exitCode(value: string | undefined): number {
  if (value === undefined) return 75;
  if (/^\d{1,3}$/.test(value) && Number(value) <= 255) return Number(value);
  throw usageError(`-E takes a number from 0 to 255, not '${value}'`, 'claim');
}

/** What the shell and the user meant by a word, as claims take it. */
export class Words {
  readonly #base: string;
  /** From the root to the working directory. */
  readonly #here: string;

  constructor({ root }: Claims) {
    const cwd = process.cwd();
    const here = [root, realOf(root)]
      .map((each) => relative(each, cwd))
      .find((each) => each !== '..' && !each.startsWith(`..${sep}`));
    this.#base = here === undefined ? root : cwd;
    this.#here = here ?? '';
  }

  /** A path, letter by letter. */
  path(word: string): string {
    return this.#below(word, this.#here);
  }

  /** A pattern; a file that exists by this very name is no pattern. */
  entry(word: string): { kind: 'file' | 'directory'; pattern: string } {
    let isFolder = word.endsWith('/');
    let exists = true;
    try {
      isFolder = statSync(resolve(this.#base, word)).isDirectory();
    } catch {
      exists = false;
    }
    const pattern = this.#below(exists ? escapePath(word) : word, escapePath(this.#here));
    return { kind: isFolder ? 'directory' : 'file', pattern };
  }

  except(word: string): string {
    const { kind, pattern } = this.entry(word);
    return kind === 'directory' && !pattern.endsWith('/') ? `${pattern}/` : pattern;
  }

  #below(word: string, here: string): string {
    return here === '' || word === '' || word.startsWith('/') ? word : `${here}/${word}`;
  }
}

function realOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
