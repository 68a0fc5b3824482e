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

/** `holdfast …` in a process of its own. */
export function start(args: string[], options?: SpawnOptions): Program {
  return Program.start(process.execPath, [COMMAND, ...args], options);
}

/** To its end, without input. */
export function finish(args: string[], options?: SpawnOptions): Promise<End> {
  return start(args, options).end();
}
