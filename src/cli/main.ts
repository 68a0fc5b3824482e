import { printable } from '../base/holder.js';
import { EXIT, Exit, usageError } from './exit-codes.js';
import { type Streams, say } from './streams.js';
import { commandLine, isEscaped } from './words.js';

type Command = (argv: string[], streams: Streams) => Promise<number>;

// Each is loaded only when it is called: in a script, every millisecond at the
// start counts.
const COMMANDS: Record<string, () => Promise<Command>> = {
  run: async () => (await import('./run.js')).run,
  claim: async () => (await import('./claim.js')).claim,
  doctor: async () => (await import('./doctor.js')).doctor,
  elect: async () => (await import('./elect.js')).elect,
  'next-id': async () => (await import('./next-id.js')).nextId,
  status: async () => (await import('./status.js')).status,
};

// The commands that accept words that are not UTF-8. The others would change them.
const TAKES_BYTES = ['run', 'status', 'next-id', 'elect'];

function checkWords(name: string, words: readonly string[]): void {
  const word = TAKES_BYTES.includes(name) ? undefined : words.find(isEscaped);
  if (word === undefined) return;
  throw usageError(`'${printable(word)}' is not UTF-8, which ${name} requires`, name);
}

/** Runs the command line. Resolves to the exit status; never rejects. */
export async function main(words: string[], streams: Streams): Promise<number> {
  try {
    const argv = commandLine(words);
    const [first = '', second] = argv;
    const asksForHelp = first === 'help' && second !== undefined;
    const name = asksForHelp ? second : first;
    const rest = asksForHelp ? ['--help'] : argv.slice(1);
    const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
    if (load !== undefined) {
      checkWords(name, rest);
      return await (await load())(rest, streams);
    }
    if (name === '--version' || name === '-V' || name === 'version') {
      const { createRequire } = await import('node:module');
      const { version } = createRequire(import.meta.url)('../../package.json');
      streams.stdout.write(`holdfast ${version}\n`);
      return EXIT.ok;
    }
    if (name === '--help' || name === '-h' || name === 'help') {
      streams.stdout.write((await import('./help.js')).MAIN_HELP);
      return EXIT.ok;
    }
    const problem = name === '' ? 'COMMAND is missing' : `unknown command '${name}'`;
    throw new Exit(EXIT.usage, `${problem}; see: holdfast --help`);
  } catch (error) {
    if (error instanceof Exit) {
      if (error.message !== '') say(streams, error.message);
      return error.code;
    }
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
    say(streams, `internal error, please report it: ${detail}`);
    return EXIT.software;
  }
}
