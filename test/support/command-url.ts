import { hostname } from 'node:os';
import { onTestFinished } from 'vitest';
import { endProcess } from './claims-peer.js';
import { finish, start } from './command.js';
import { lockName } from './postgres.js';
import type { PostgresServer } from './postgres-server.js';
import type { End, Program } from './program.js';

/** A lock that no other test has. */
export function urlOf(server: PostgresServer): { url: string; name: string } {
  const name = lockName();
  return { url: `${server.url}#${encodeURIComponent(name)}`, name };
}

/** What `tryRun` has of a lock that is free. */
export const FREE = { code: 0, stdout: 'ran\n', stderr: '' };

/** A command that writes its pid and runs until it is ended, or for a minute. */
export const HOLDS = ['sh', '-c', 'echo "holds $$"; exec sleep 60'];
/** As others read it. */
export const HOLDS_TEXT = `sh -c ${HOLDS[2]}`;

/** `holdfast run … URL` in the background; resolves once its command runs. */
export async function hold(
  url: string,
  { options = [], command = HOLDS, env = {} }: HoldOptions = {},
): Promise<{ holder: Program; child: number }> {
  const holder = start(['run', ...options, url, ...command], {
    env: { ...process.env, ...env },
  });
  await holder.says('holds ');
  await holder.says('\n');
  const child = Number(/holds (\d+)/.exec(holder.stdout)?.[1]);
  onTestFinished(() => endProcess(child));
  return { holder, child };
}

interface HoldOptions {
  options?: string[];
  command?: string[];
  env?: NodeJS.ProcessEnv;
}

/** `holdfast run -n URL`, which says whether it is free. */
export function tryRun(url: string, env: NodeJS.ProcessEnv = {}): Promise<End> {
  return finish(['run', '-n', url, 'echo', 'ran'], { env: { ...process.env, ...env } });
}

/** What a refusal says first, without how long it has been held. */
export function heldBy(url: string, pid: number, command = HOLDS_TEXT): RegExp {
  const text = `holdfast: ${url} is held by pid ${pid} (${command}) on ${hostname()}, for `;
  return new RegExp(`^${text.replace(/[$()*+.?[\\\]^{|}]/g, '\\$&')}\\d+s$`);
}
