import { type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

const ENTRY = new URL('../../dist/index.js', import.meta.url).href;

/** Found in every script: the package, `report`, `outcome`, `descriptors`. */
const PRELUDE = `
const fs = await import('node:fs');
const holdfast = await import(process.env.HOLDFAST_TEST_ENTRY);
const { FileLock, inspect } = holdfast;
const [path, ...args] = process.argv.slice(1);
const descriptors = () => fs.readdirSync('/proc/self/fd').length;
const report = (value) => fs.writeSync(1, JSON.stringify(value) + '\\n');
const outcome = async (call) => {
  try {
    const value = await call();
    return { value: value instanceof FileLock ? 'lock' : value };
  } catch (error) {
    const { name, message, code, errno, syscall, path, holder, cause } = error;
    return { name, message, code, errno, syscall, path, holder, cause: cause && { code: cause.code, syscall: cause.syscall } };
  }
};
`;

export interface ScriptOptions {
  /** What runs node: `['strace', '-f', …]`. */
  wrap?: string[];
  args?: string[];
  env?: NodeJS.ProcessEnv;
  uid?: number;
  gid?: number;
  /** Descriptors for the child, from number 3 on. */
  inherit?: number[];
  /** Milliseconds until it is killed. */
  deadline?: number;
}

export interface ScriptResult {
  /** What it reported, in order. */
  // biome-ignore lint/suspicious/noExplicitAny: the test knows what its script reports
  reports: any[];
  code: number | null;
  signal: NodeJS.Signals | null;
  stderr: string;
}

/**
 * Runs `source` as a module in its own process, under the command `wrap`, with the built package and `path` at hand. The whole process
 * group ends with the test.
 */
export async function runScript(
  path: string,
  source: string,
  options: ScriptOptions = {},
): Promise<ScriptResult> {
  const { wrap = [], args = [], env = {}, inherit = [], deadline = 20_000, ...user } = options;
  const node = [process.execPath, '--input-type=module', '-e', PRELUDE + source, path, ...args];
  const [command = '', ...rest] = [...wrap, ...node];
  const spawnOptions: SpawnOptions = {
    stdio: ['ignore', 'pipe', 'pipe', ...inherit],
    env: { ...process.env, HOLDFAST_TEST_ENTRY: ENTRY, ...env },
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    detached: true,
    ...user,
  };
  const child = spawn(command, rest, spawnOptions);
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    stderr += chunk;
  });
  const end = (): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // Nobody is left in the group.
    }
  };
  let closed = false;
  onTestFinished(() => {
    if (!closed) end();
  });
  const timer = setTimeout(end, deadline);
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  closed = true;
  clearTimeout(timer);
  const lines = stdout.split('\n').filter((line) => line !== '');
  return { reports: lines.map((line) => JSON.parse(line)), code, signal, stderr };
}
