import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';

export const onWindows = process.platform === 'win32';
const PEER = fileURLToPath(new URL('peer.mjs', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'holdfast-polling-'));
const peers = new Set();
let folders = 0;

after(async () => {
  for (const peer of peers) await peer.kill();
  rmSync(root, { recursive: true, force: true, maxRetries: 5 });
});

/** A path in a new folder; the file does not exist yet. */
export function freshPath(name = 'some.lock') {
  return join(root, `${++folders} ä 日本`, name);
}

/** Another process; `ask` resolves to its answer, or rejects with its error. */
export async function startPeer() {
  const child = fork(PEER, [], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const exited = once(child, 'exit');
  await once(child, 'message');
  const asked = new Map();
  const primary = [];
  let id = 0;
  child.on('message', (message) => {
    if (message.primary !== undefined) primary.push(message);
    const waiting = asked.get(message.id);
    asked.delete(message.id);
    if (message.error === undefined) waiting?.resolve(message.result);
    else waiting?.reject(Object.assign(new Error(), message.error));
  });
  const peer = {
    pid: child.pid,
    primary,
    /** Resolves when `primary` has an entry. */
    async elected() {
      while (primary.length === 0) await once(child, 'message');
    },
    ask(job, rest = {}) {
      const answer = new Promise((resolve, reject) => asked.set(++id, { resolve, reject }));
      child.send({ id, job, ...rest });
      return answer;
    },
    exited,
    async kill() {
      peers.delete(peer);
      child.kill('SIGKILL');
      await exited;
    },
  };
  peers.add(peer);
  return peer;
}

/** The error of `action`. */
export async function errorOf(action) {
  try {
    await (typeof action === 'function' ? action() : action);
  } catch (error) {
    return error;
  }
  throw new Error('it did not fail');
}
