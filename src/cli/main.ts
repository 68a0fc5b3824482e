import { EXIT, Exit } from './exit-codes.js';
import { type Streams, say } from './streams.js';

type Command = (argv: string[], streams: Streams) => Promise<number>;

// Each is loaded when it is called: a command that starts in a script counts
// every millisecond.
const COMMANDS: Record<string, () => Promise<Command>> = {
  run: async () => (await import('./run.js')).run,
  claim: async () => (await import('./claim.js')).claim,
  doctor: async () => (await import('./doctor.js')).doctor,
  elect: async () => (await import('./elect.js')).elect,
  'next-id': async () => (await import('./next-id.js')).nextId,
  status: async () => (await import('./status.js')).status,
};

/** The whole command. Resolves to the exit status; never rejects. */
export async function main(argv: string[], streams: Streams): Promise<number> {
  try {
    const [first = '', second] = argv;
    const asksForHelp = first === 'help' && second !== undefined;
    const name = asksForHelp ? second : first;
    const rest = asksForHelp ? ['--help'] : argv.slice(1);
    const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
    if (load !== undefined) return await (await load())(rest, streams);
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
    const problem = name === '' ? 'a command is needed' : `there is no command '${name}'`;
    throw new Exit(EXIT.usage, `${problem}; see: holdfast --help`);
  } catch (error) {
    if (error instanceof Exit) {
      say(streams, error.message);
      return error.code;
    }
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
    say(streams, `a fault of holdfast's own: ${detail}`);
    return EXIT.software;
  }
}
