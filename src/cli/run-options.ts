import { parseArgs } from 'node:util';
import { usageError } from './exit-codes.js';
import { parseTime } from './time.js';
import { wellFormed } from './words.js';

/** What the words after `holdfast run` ask for. */
export interface RunOptions {
  mode: 'exclusive' | 'shared';
  unlock: boolean;
  /** Milliseconds; 0: do not wait. */
  timeout: number;
  conflictCode: number;
  /** The command does not inherit the lock. */
  close: boolean;
  inPlace: boolean;
  /** Neither a wait nor a refusal is worth a word. */
  quiet: boolean;
  verbose: boolean;
  /** What is to run once, by name. */
  instance: string | null;
  force: 'steal' | 'terminate' | null;
  /** Whose processes `--terminate` may end. */
  uid: number | undefined;
  /** The confirmation is given already. */
  yes: boolean;
  data: Record<string, string>;
  /** A path as typed, or the number of an inherited descriptor. */
  target: string | number;
  /** Empty in the descriptor form. */
  command: string[];
}

const flag = { type: 'boolean' } as const;
const value = { type: 'string' } as const;
const OPTIONS = {
  exclusive: { ...flag, short: 'x' },
  // parseArgs knows one short name an option.
  e: { ...flag, short: 'e' },
  shared: { ...flag, short: 's' },
  unlock: { ...flag, short: 'u' },
  nonblock: { ...flag, short: 'n' },
  nonblocking: flag,
  nb: flag,
  timeout: { ...value, short: 'w' },
  wait: value,
  'conflict-exit-code': { ...value, short: 'E' },
  close: { ...flag, short: 'o' },
  'no-fork': { ...flag, short: 'F' },
  quiet: { ...flag, short: 'q' },
  verbose: flag,
  instance: value,
  force: flag,
  terminate: flag,
  uid: value,
  yes: flag,
  data: value,
  help: { ...flag, short: 'h' },
} as const;

const CONTRADICTING: string[][] = [
  ['exclusive', 'e', 'shared', 'unlock'],
  ['quiet', 'verbose'],
];
const HIGHEST_DESCRIPTOR = 2 ** 31 - 1;

function fail(message: string): never {
  throw usageError(message, 'run');
}

/** `null`: help is asked for. Throws usage errors. */
export function parseRun(argv: string[], shell: string): RunOptions | null {
  // parseArgs goes on behind the first positional, where the command's own
  // options begin: its tokens tell where that is.
  const all = parseArgs({ args: argv, options: OPTIONS, strict: false, tokens: true });
  const first = all.tokens.find((token) => token.kind !== 'option');
  const file = first?.kind === 'option-terminator' ? first.index + 1 : first?.index;
  const seen = new Map<string, string | undefined>();
  let data: Record<string, string> = {};
  for (const token of all.tokens) {
    if (token.kind !== 'option' || (first !== undefined && token.index >= first.index)) continue;
    const known = Object.hasOwn(OPTIONS, token.name)
      ? OPTIONS[token.name as keyof typeof OPTIONS]
      : undefined;
    if (known === undefined) {
      const hint = token.name === 'c' || token.name === 'command' ? ' before FILE' : '';
      fail(`unknown option ${token.rawName}${hint}`);
    }
    if (known.type === 'boolean' && token.value !== undefined)
      fail(`${token.rawName} takes no value`);
    if (known.type === 'string' && token.value === undefined)
      fail(`${token.rawName} needs a value`);
    // Of contradicting options the last one counts, as with flock(1).
    for (const group of CONTRADICTING) {
      if (group.includes(token.name)) for (const other of group) seen.delete(other);
    }
    // Assigned, `__proto__` would not become a field.
    if (token.name === 'data') data = { ...data, ...pairOf(token.value ?? '') };
    seen.set(token.name === 'wait' ? 'timeout' : token.name, token.value);
  }
  if (seen.has('help')) return null;
  const target = file === undefined ? undefined : argv[file];
  if (file === undefined || target === undefined) {
    fail('FILE is missing: a file, a folder, or the number of a descriptor');
  }
  const words = argv.slice(file + 1);
  const command = commandOf(words, shell);
  const isNumber = words.length === 0 && /^\d+$/.test(target);
  if (command.length === 0 && !isNumber) {
    fail(`a command is needed after ${[target, ...words].join(' ')}`);
  }
  if (isNumber && Number(target) > HIGHEST_DESCRIPTOR) fail(`there is no descriptor ${target}`);
  const options: RunOptions = {
    mode: seen.has('shared') ? 'shared' : 'exclusive',
    unlock: seen.has('unlock'),
    timeout: timeoutOf(seen),
    conflictCode: conflictCodeOf(seen.get('conflict-exit-code')),
    close: seen.has('close'),
    inPlace: seen.has('no-fork'),
    quiet: seen.has('quiet'),
    verbose: seen.has('verbose'),
    instance: seen.get('instance') ?? null,
    force: seen.has('force') ? 'steal' : seen.has('terminate') ? 'terminate' : null,
    uid: userOf(seen.get('uid')),
    yes: seen.has('yes'),
    data,
    target: isNumber ? Number(target) : target,
    command,
  };
  if (seen.has('force') && seen.has('terminate'))
    fail('--force and --terminate do not go together');
  if (options.uid !== undefined && options.force !== 'terminate') fail('--uid needs --terminate');
  if (options.instance === '') fail('--instance needs a name');
  if (options.force !== null && options.instance === null)
    fail('--force and --terminate need --instance');
  if (options.instance !== null && (isNumber || options.unlock || options.mode === 'shared')) {
    fail('--instance needs a FILE and an exclusive lock');
  }
  if (options.close && options.inPlace) fail('--no-fork and --close do not go together');
  return options;
}

function pairOf(text: string): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) fail(`--data takes KEY=VALUE, not '${text}'`);
  const key = text.slice(0, at);
  if (['pid', 'startedAt', 'holdfast'].includes(key)) fail(`--data cannot set '${key}'`);
  // What is not UTF-8 would be no JSON to others.
  return { [wellFormed(key)]: wellFormed(text.slice(at + 1)) };
}

function timeoutOf(seen: Map<string, string | undefined>): number {
  if (seen.has('nonblock') || seen.has('nonblocking') || seen.has('nb')) return 0;
  const text = seen.get('timeout');
  return text === undefined ? Number.POSITIVE_INFINITY : parseTime(text, '-w (--timeout)', 'run');
}

function conflictCodeOf(text: string | undefined): number {
  if (text === undefined) return 75;
  const code = Number(text);
  if (!/^\d+$/.test(text) || code > 255) {
    fail(`-E (--conflict-exit-code) takes a number from 0 to 255, not '${text}'`);
  }
  return code;
}

const HIGHEST_USER = 2 ** 32 - 2;

function userOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,10}$/.test(text) && Number(text) <= HIGHEST_USER) return Number(text);
  return fail(`--uid takes the number of a user, not '${text}'`);
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
