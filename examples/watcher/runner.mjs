import { watch } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { answer } from './prompt.mjs';

/**
 * Watches `folder` and handles the prompts in it, until `signal` is aborted.
 * Rejects if another watcher has the folder, and when the lock is lost.
 *
 * It does not know what kind of lock it gets: `instanceLocker()` in the
 * program, `memoryLocker({ instance: true })` in its unit test.
 */
export async function runWatcher(folder, { locker, say, handle = answer, signal }) {
  const path = `${folder.replace(/\/+$/, '')}/.watcher.lock`;
  await mkdir(folder, { recursive: true });
  const lock = await locker.acquire(path, { timeout: 0 });
  try {
    say(`acquired lock ${path}`);
    await handlePrompts(folder, { say, handle, signals: [signal, lock.signal] });
    // After a loss of the lock, another watcher may be running.
    lock.signal?.throwIfAborted();
  } finally {
    await lock.release();
  }
}

/** Runs until one of `signals` is aborted, and finishes what it has begun. */
async function handlePrompts(folder, { say, handle, signals }) {
  const end = AbortSignal.any(signals.filter((each) => each !== undefined));
  let scans = Promise.resolve();
  let watcher;
  try {
    await new Promise((resolve, reject) => {
      let queued = false;
      const scanSoon = () => {
        if (queued) return;
        queued = true;
        scans = scans.then(async () => {
          queued = false;
          await scan(folder, say, handle, end);
        });
        scans.catch(reject);
      };
      if (end.aborted) return resolve();
      end.addEventListener('abort', resolve, { once: true });
      watcher = watch(folder, scanSoon);
      watcher.on('error', reject);
      say(`watching ${folder} for queued prompts...`);
      // What appeared while nobody watched.
      scanSoon();
    });
  } finally {
    watcher?.close();
    await scans.catch(() => {});
  }
}

async function scan(folder, say, handle, end) {
  for (const name of (await readdir(folder)).sort()) {
    if (end.aborted) return;
    if (name.startsWith('.') || !name.endsWith('.md')) continue;
    try {
      const result = await handle(join(folder, name));
      if (result !== null) say(`${name} -> ${result}`);
    } catch (error) {
      // It was deleted meanwhile. Any other error concerns only this prompt.
      if (error.code !== 'ENOENT') say(`${name}: ${error.message}`);
    }
  }
}
