import { parseArgs } from 'node:util';
import { HIGHEST_DESCRIPTOR, HIGHEST_UID } from '../base/arguments.js';
import { RESERVED_FIELDS } from '../holders/owner-record.js';
import { usageError } from './exit-codes.js';
import { isLockUrl } from './is-lock-url.js';
import {
  ASKING,
  answer,
  CONFLICT_EXIT_CODE,
  checkOption,
  FLAG,
  parseConflictCode,
  QUIET,
  TEXT,
  TIMEOUT,
} from './options.js';
import { parseTime } from './time.js';
import { wellFormed } from './words.js';

/** The words after `holdfast run`. */
export interface RunOptions {
  mode: 'exclusive' | 'shared';
  unlock: boolean;
  /** Milliseconds; 0: does not wait. */
  timeout: number;
  conflictCode: number;
  /** The command does not inherit the lock. */
  close: boolean;
  inPlace: boolean;
  /** Print nothing about a wait or a refusal. */
  quiet: boolean;
  verbose: boolean;
  /** How many may run at once, with FILE as a folder of slots; `null`: one. */
  slots: number | null;
  /** The name of the program that may run only once. */
  instance: string | null;
  force: 'steal' | 'terminate' | null;
  /** The user whose processes `--terminate` may end. */
  uid: number | undefined;
  /** Force without asking. */
  yes: boolean;
  data: Record<string, string>;
  /** Further files to lock, as typed. */
  also: string[];
  /** A path as typed, or the number of an inherited descriptor. */
  target: string | number;
  /** Empty in the descriptor form. */
  command: string[];
}

/** `-c` is none of them: it goes after FILE. */
export const OPTIONS = {
  exclusive: { ...FLAG, short: 'x' },
  // parseArgs allows one short name for each option.
  e: { ...FLAG, short: 'e' },
  shared: { ...FLAG, short: 's' },
  unlock: { ...FLAG, short: 'u' },
  nonblock: { ...FLAG, short: 'n' },
  nonblocking: FLAG,
  nb: FLAG,
  timeout: TIMEOUT,
  wait: TEXT,
  'conflict-exit-code': CONFLICT_EXIT_CODE,
  close: { ...FLAG, short: 'o' },
  'no-fork': { ...FLAG, short: 'F' },
  quiet: QUIET,
  verbose: FLAG,
  slots: TEXT,
  instance: TEXT,
  force: FLAG,
  terminate: FLAG,
  uid: TEXT,
  yes: FLAG,
  data: TEXT,
  also: TEXT,
  ...ASKING,
} as const;

const CONTRADICTING: string[][] = [
  ['exclusive', 'e', 'shared', 'unlock'],
  ['quiet', 'verbose'],
];

function fail(message: string): never {
  throw usageError(message, 'run');
}

/** Throws usage errors, and Asked. */
export function parseRun(argv: string[], shell: string): RunOptions {
  // parseArgs does not stop at the first positional, after which the options of
  // the command begin, but its tokens show where that is.
  const all = parseArgs({ args: argv, options: OPTIONS, strict: false, tokens: true });
  const first = all.tokens.find((token) => token.kind !== 'option');
  const file = first?.kind === 'option-terminator' ? first.index + 1 : first?.index;
  const seen = new Map<string, string | undefined>();
  let data: Record<string, string> = {};
  const also: string[] = [];
  for (const token of all.tokens) {
    if (token.kind !== 'option' || (first !== undefined && token.index >= first.index)) continue;
    if (token.name === 'c' || token.name === 'command') fail(`${token.rawName} goes after FILE`);
    checkOption(token, OPTIONS, 'run');
    // Of contradicting options the last one counts, as with flock(1).
    for (const group of CONTRADICTING) {
      if (group.includes(token.name)) for (const other of group) seen.delete(other);
    }
    // By assignment, `__proto__` would not become a field.
    if (token.name === 'data') data = { ...data, ...pairOf(token.value ?? '') };
    if (token.name === 'also') also.push(token.value ?? '');
    seen.set(token.name === 'wait' ? 'timeout' : token.name, token.value);
  }
  answer(seen.keys(), 'run');
  // Before what is missing: `-w FILE COMMAND` has lost the time, not the command.
  const timeout = timeoutOf(seen);
  const conflictCode = parseConflictCode(seen.get('conflict-exit-code'), 'run');
  const target = file === undefined ? undefined : argv[file];
  if (file === undefined || target === undefined) {
    fail('FILE is missing: a file, a folder, or the number of a descriptor');
  }
  const words = argv.slice(file + 1);
  const command = commandOf(words, shell);
  const isNumber = words.length === 0 && /^\d+$/.test(target);
  if (command.length === 0 && !isNumber) {
    fail(`COMMAND is missing after ${[target, ...words].join(' ')}`);
  }
  if (isNumber && Number(target) > HIGHEST_DESCRIPTOR)
    fail(`no descriptor has the number ${target}`);
  const options: RunOptions = {
    mode: seen.has('shared') ? 'shared' : 'exclusive',
    unlock: seen.has('unlock'),
    timeout,
    conflictCode,
    close: seen.has('close'),
    inPlace: seen.has('no-fork'),
    quiet: seen.has('quiet'),
    verbose: seen.has('verbose'),
    slots: slotsOf(seen.get('slots')),
    instance: seen.get('instance') ?? null,
    force: seen.has('force') ? 'steal' : seen.has('terminate') ? 'terminate' : null,
    uid: userOf(seen.get('uid')),
    yes: seen.has('yes'),
    data,
    also,
    target: isNumber ? Number(target) : target,
    command,
  };
  if (seen.has('force') && seen.has('terminate'))
    fail('--force and --terminate exclude each other');
  if (options.uid !== undefined && options.force !== 'terminate') fail('--uid needs --terminate');
  if (options.instance === '') fail('--instance needs a name');
  if (options.force !== null && options.instance === null)
    fail('--force and --terminate need --instance');
  if (options.instance !== null && (isNumber || options.unlock || options.mode === 'shared')) {
    fail('--instance needs a FILE and an exclusive lock');
  }
  if (options.slots !== null) checkSlots(options);
  if (options.close && options.inPlace) fail('--no-fork and --close exclude each other');
  // Nothing could remove the record when COMMAND ends.
  if (options.inPlace && Object.keys(data).length > 0) {
    fail('--no-fork and --data exclude each other: with --no-fork there is no record');
  }
  return options;
}

function pairOf(text: string): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) fail(`--data takes KEY=VALUE, not '${text}'`);
  const key = text.slice(0, at);
  if (RESERVED_FIELDS.includes(key)) fail(`--data cannot set '${key}'`);
  // JSON has to be UTF-8.
  return { [wellFormed(key)]: wellFormed(text.slice(at + 1)) };
}

function timeoutOf(seen: Map<string, string | undefined>): number {
  if (seen.has('nonblock') || seen.has('nonblocking') || seen.has('nb')) return 0;
  const text = seen.get('timeout');
  return text === undefined ? Number.POSITIVE_INFINITY : parseTime(text, '-w (--timeout)', 'run');
}

function slotsOf(text: string | undefined): number | null {
  if (text === undefined) return null;
  return /^\d{1,9}$/.test(text) ? Number(text) : fail(`--slots takes a number, not '${text}'`);
}

function checkSlots({ target, mode, unlock, instance }: RunOptions): void {
  if (typeof target === 'number') fail('--slots needs a folder and a COMMAND, not a descriptor');
  if (isLockUrl(target)) fail('--slots needs a folder: a URL names a single lock');
  if (mode === 'shared') fail('--slots and --shared exclude each other: a slot has one holder');
  if (unlock) fail('--slots and --unlock exclude each other: a slot is free when COMMAND ends');
  if (instance === null) return;
  fail('--slots and --instance exclude each other: an instance runs once, in slots run several');
}

function userOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,10}$/.test(text) && Number(text) <= HIGHEST_UID) return Number(text);
  return fail(`--uid takes the numeric id of a user, not '${text}'`);
}

function commandOf(words: string[], shell: string): string[] {
  const [first = '', line] = words;
  if (first === '--') return words.slice(1);
  const attached = /^(?:--command=|-c)(.+)$/s.exec(first)?.[1];
  if (attached === undefined && first !== '-c' && first !== '--command') return words;
  const command = attached ?? line;
  if (command === undefined || words.length !== (attached === undefined ? 2 : 1)) {
    fail(`${first.startsWith('--') ? '--command' : '-c'} takes exactly one command`);
  }
  return [shell, '-c', command];
}
