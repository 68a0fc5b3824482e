import { setCommandName } from '../base/command-name.js';
import { printable } from '../base/holder.js';
import { ownCommand } from '../native/own-command.js';
import { Asked, EXIT, Exit, exitCodeOf, messageOf, suggestion, usageError } from './exit-codes.js';
import { parseMixed } from './options.js';
import { type Streams, say } from './streams.js';
import { commandLine, isEscaped } from './words.js';

// Not the function itself: naming it would load it.
setCommandName(() => ownCommand());

interface Subcommand {
  /** Loads it when it is called: in a script, every millisecond at the start counts. */
  load: () => Promise<(argv: string[], streams: Streams) => Promise<number>>;
  /** How many of the words have to be UTF-8. Other subcommands would change them. Default: all. */
  texts?: (argv: readonly string[]) => number;
  /** Whether it runs a command, which inherits what this process has inherited. */
  runsCommand?: (argv: readonly string[]) => boolean;
}

const none = (): number => 0;
const always = (): boolean => true;

export const SUBCOMMANDS: Record<string, Subcommand> = {
  run: { load: async () => (await import('./run.js')).run, texts: none, runsCommand: always },
  claim: {
    load: async () => (await import('./claim.js')).claim,
    texts: (argv) => (argv[0] === 'run' ? beforeCommand(argv) : argv.length),
    runsCommand: (argv) => argv[0] === 'run',
  },
  completion: { load: async () => (await import('./completion.js')).completion },
  doctor: { load: async () => (await import('./doctor.js')).doctor },
  elect: {
    load: async () => (await import('./elect.js')).elect,
    texts: none,
    runsCommand: always,
  },
  // Through claim.js, which has what they share: one file less to load for `claim check`.
  mcp: { load: async () => (await import('./claim.js')).mcp },
  'next-id': {
    load: async () => (await import('./next-id.js')).nextId,
    texts: none,
    runsCommand: always,
  },
  status: { load: async () => (await import('./status.js')).status, texts: none },
};

function subcommandOf(name: string): Subcommand | undefined {
  return Object.hasOwn(SUBCOMMANDS, name) ? SUBCOMMANDS[name] : undefined;
}

/** Whether these words run a command. */
export function runsCommand([name = '', ...argv]: readonly string[]): boolean {
  return subcommandOf(name)?.runsCommand?.(argv) === true;
}

function beforeCommand(argv: readonly string[]): number {
  const at = argv.indexOf('--');
  return at < 0 ? argv.length : at;
}

function checkIsText(name: string, words: readonly string[]): void {
  const word = words.find(isEscaped);
  if (word === undefined) return;
  throw usageError(`'${printable(word)}' is not UTF-8, which ${name} requires`, name);
}

/** What programs that run a command with a lock are called elsewhere. */
const OTHER_NAMES = ['flock', 'lock', 'exec', 'sem', 'lockf', 'setlock'];

/** What the command without a subcommand, or with a wrong one, ends with. */
function noSubcommand([word = '', ...rest]: string[]): Error {
  // As git does: the list on standard output, and not a success, since a script
  // may have lost the subcommand.
  if (word === '') return new Asked('help', '', EXIT.usage);
  if (word === 'version') return new Asked('version', '');
  if (word === 'help') {
    return new Asked('help', rest.filter((each) => !each.startsWith('-')).join(' '));
  }
  // Throws.
  if (word.startsWith('-')) parseMixed([word], {}, '');
  const advice = OTHER_NAMES.includes(word)
    ? 'did you mean run?'
    : suggestion(word, [...Object.keys(SUBCOMMANDS), 'help']);
  return usageError(`unknown command '${printable(word)}'; ${advice}`, '');
}

/** Loads the pages, which nothing else needs. */
async function answer(asked: Asked, streams: Streams): Promise<number> {
  try {
    const help = await import('./help.js');
    streams.stdout.write(help.answerTo(asked, streams.stdout));
    return asked.code;
  } catch (error) {
    return end(error, streams);
  }
}

/** Runs the command line. Resolves to the exit status; never rejects. */
export async function main(words: string[], streams: Streams): Promise<number> {
  try {
    const argv = commandLine(words);
    const [name = '', ...rest] = argv;
    const subcommand = subcommandOf(name);
    if (subcommand === undefined) throw noSubcommand(argv);
    checkIsText(name, rest.slice(0, subcommand.texts?.(rest)));
    return await (await subcommand.load())(rest, streams);
  } catch (error) {
    if (error instanceof Asked) return answer(error, streams);
    return end(error, streams);
  }
}

/** Says why, and gives the exit status. */
function end(error: unknown, streams: Streams): number {
  if (error instanceof Exit) {
    if (error.message !== '') say(streams, error.message);
    return error.code;
  }
  // No subcommand needs to expect that its working directory is gone.
  if ((error as { syscall?: unknown } | null)?.syscall === 'uv_cwd') {
    say(streams, messageOf(error));
    return exitCodeOf(error);
  }
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  say(streams, `internal error, please report it: ${detail}`);
  return EXIT.software;
}
