import type { ForkOptions, SpawnOptions } from 'node:child_process';
import type { InstanceLockOptions } from '../../src/instance.js';
import { Peer } from './peer.js';
import { Program } from './program.js';

const INDEX = new URL('../../dist/index.js', import.meta.url).href;
const INSTANCE = new URL('../../dist/instance.js', import.meta.url).href;

/** Found in every program: the built layer, `path`, `say`, `tell` and `hold`. */
const PRELUDE = `
import * as fs from 'node:fs';
import { FileLock } from ${JSON.stringify(INDEX)};
import { InstanceLock, instanceLocker } from ${JSON.stringify(INSTANCE)};
const [path, ...args] = process.argv.slice(1);
const say = (text) => fs.writeSync(1, text + '\\n');
const tell = ({ name, code, message, pid, data, waited, cause, holder }) =>
  say(JSON.stringify({ name, code, message, pid, data, waited, holder, cause: cause?.code }));
const hold = async (options) => {
  const lock = await InstanceLock.acquire(path, options);
  process.stdin.resume();
  say('held');
  return lock;
};
`;

export interface InstanceProgramOptions extends SpawnOptions {
  /** What runs node: `['unshare', '--pid', …]`. */
  wrap?: string[];
  args?: string[];
}

/** A program with the built package that does something with the lock at `path`. */
export function instanceProgram(
  path: string,
  source = 'await hold();',
  { wrap = [], args = [], ...options }: InstanceProgramOptions = {},
): Program {
  const node = [process.execPath, '--input-type=module', '-e', PRELUDE + source, '--'];
  const [command = '', ...rest] = [...wrap, ...node, path, ...args];
  return Program.start(command, rest, options);
}

/** One that has the lock, until its stdin is closed. */
export async function runningInstance(
  path: string,
  options: Pick<InstanceLockOptions, 'keepFile' | 'record'> & { data?: object } = {},
  before = '',
): Promise<Program> {
  const program = instanceProgram(path, `${before}\nawait hold(${JSON.stringify(options)});`);
  await program.says('held');
  return program;
}

export function isRunning({ process: { exitCode, signalCode } }: Program): boolean {
  return exitCode === null && signalCode === null;
}

/** What a program wrote with `tell`, in order. */
// biome-ignore lint/suspicious/noExplicitAny: the test knows what its program tells
export function told({ stdout }: { stdout: string }): any[] {
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line));
}

const ENTRY = new URL('instance-peer.mjs', import.meta.url).href;

/** A `Peer` whose locks are instance locks. */
export function instancePeer(options: ForkOptions = {}): Promise<Peer> {
  return Peer.start({ ...options, env: { ...process.env, HOLDFAST_TEST_ENTRY: ENTRY } });
}
