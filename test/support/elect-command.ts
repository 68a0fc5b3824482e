import { onTestFinished } from 'vitest';
import { until } from './census.js';
import { endProcess } from './claims-peer.js';
import { start } from './command.js';
import { queueOf } from './kernel.js';
import type { Program } from './program.js';

export const NODE = process.execPath;

/** A command that writes who it is, and runs until its stdin ends or a signal comes. */
export const SAYS = (name: string): string[] => [
  NODE,
  '-e',
  `process.stdin.resume().on('end', () => process.exit(7));
   require('fs').writeSync(1, '${name} ' + process.pid + ' term ' + process.env.HOLDFAST_TERM + '\\n')`,
];

/** The pid that a command of `SAYS` wrote; the process ends with the test. */
export async function pidOf(program: Program, name: string): Promise<number> {
  await program.says(`${name} `);
  await until(() => program.stdout.includes('term'));
  const pid = Number(new RegExp(`${name} (\\d+)`).exec(program.stdout)?.[1]);
  onTestFinished(() => endProcess(pid));
  return pid;
}

export async function standBy(directory: string, args: string[], count = 1): Promise<Program> {
  const program = start(['elect', ...args]);
  await until(() => queueOf(directory) === count);
  return program;
}
