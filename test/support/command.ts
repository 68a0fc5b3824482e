import type { SpawnOptions } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { main } from '../../src/cli/main.js';
import type { Output } from '../../src/cli/streams.js';
import { type End, Program } from './program.js';

/** The built command, as npm links it. */
export const COMMAND = fileURLToPath(new URL('../../dist/cli/holdfast.js', import.meta.url));

/** Keeps what is written to it; a terminal if it has columns. */
export class Screen implements Output {
  text = '';
  readonly isTTY: boolean;
  readonly columns?: number;

  constructor(columns?: number) {
    this.isTTY = columns !== undefined;
    if (columns !== undefined) this.columns = columns;
  }

  write(text: string): void {
    this.text += text;
  }

  get lines(): string[] {
    return this.text.split('\n').filter((line) => line !== '');
  }
}

export interface Called {
  code: number;
  stdout: string;
  stderr: string;
}

/** `holdfast …` in this process. */
export async function call(...argv: string[]): Promise<Called> {
  const streams = { stdout: new Screen(), stderr: new Screen() };
  const code = await main(argv, streams);
  return { code, stdout: streams.stdout.text, stderr: streams.stderr.text };
}

/** The same, in a working directory. */
export async function callIn(cwd: string, ...argv: string[]): Promise<Called> {
  const before = process.cwd();
  process.chdir(cwd);
  try {
    return await call(...argv);
  } finally {
    process.chdir(before);
  }
}

/** In the foreground of a terminal 300 columns wide; its stdin is the keyboard. Needs python3. */
export function onTerminal(...command: string[]): Program {
  return onTerminalOf(300, ...command);
}

/** The same, of another width. */
export function onTerminalOf(columns: number, ...command: string[]): Program {
  return Program.start('python3', ['-c', TERMINAL, String(columns), ...command]);
}

const TERMINAL = `
import fcntl, os, pty, struct, sys, termios
def read(fd):
    return os.read(fd, 4096)
pid, terminal = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('HHHH', 24, int(sys.argv[1]), 0, 0))
    os.execvp(sys.argv[2], sys.argv[2:])
pty._copy(terminal, read, read)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) % 256)
`;

/** `holdfast …` in its own process. */
export function start(args: string[], options?: SpawnOptions): Program {
  return Program.start(process.execPath, [COMMAND, ...args], options);
}

/** To its end, without input. */
export function finish(args: string[], options?: SpawnOptions): Promise<End> {
  return start(args, options).end();
}
