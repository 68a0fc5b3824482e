import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { testFolder } from './folder.js';
import { Program } from './program.js';

export const RUNNER = fileURLToPath(
  new URL('../../examples/parallel-runner/runner.mjs', import.meta.url),
);

// Says its pid and works until SIGUSR2; SIGTERM ends it, but for the stubborn one.
const FEATURE = `#!${process.execPath}
const name = require('node:path').basename(__filename);
process.on('SIGUSR2', () => process.exit(name === 'bad' ? 3 : 0));
if (name === 'stubborn') process.on('SIGTERM', () => console.log('no, thanks'));
setInterval(() => {}, 1000);
require('node:fs').writeSync(1, name + ' is ' + process.pid + '.\\n');
`;

/** A project with programs of these features. */
export function project(...features: string[]): string {
  const cwd = testFolder();
  mkdirSync(join(cwd, 'features'));
  for (const feature of features) {
    writeFileSync(join(cwd, 'features', feature), FEATURE, { mode: 0o755 });
  }
  return cwd;
}

export function runner(cwd: string, ...args: string[]): Program {
  return Program.start(process.execPath, [RUNNER, 'parallel', ...args], { cwd });
}

/** The pid of the feature's program, once it works. */
export async function working(program: Program, feature: string): Promise<number> {
  const pattern = new RegExp(`^${feature} is (\\d+)\\.\\r?$`, 'm');
  while (!pattern.test(program.stdout)) await program.says(`${feature} is `).then(nextTurn);
  return Number(pattern.exec(program.stdout)?.[1]);
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export async function finish(program: Program, ...features: string[]): Promise<void> {
  for (const feature of features) process.kill(await working(program, feature), 'SIGUSR2');
}

export const lockOf = (cwd: string): string => join(cwd, '.claude', 'parallel.lock');

export const recordOf = (cwd: string) => JSON.parse(readFileSync(lockOf(cwd), 'utf8'));
