import { closeSync, fstatSync, ftruncateSync, openSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { FileLock } from '../lock/file-lock.js';
import type { Streams } from './streams.js';

const ROUNDS = 200;

/**
 * Runs in the second process of `holdfast doctor`: reads a command from each
 * line, carries it out and answers with a line.
 */
export async function runPeer(streams: Streams): Promise<number> {
  let lock: FileLock | null = null;
  // This process alone has the pipe, so it may become non-blocking.
  for await (const line of createInterface({ input: process.stdin })) {
    const [word = '', path = ''] = JSON.parse(line) as string[];
    let answer: string;
    try {
      if (word === 'try') {
        lock = FileLock.tryAcquire(path, { record: false });
        answer = lock === null ? 'refused' : 'granted';
      } else if (word === 'share') {
        lock = FileLock.tryAcquire(path, { record: false, mode: 'shared' });
        answer = lock === null ? 'refused' : 'granted';
      } else if (word === 'wait') {
        const onWait = (): void => void streams.stdout.write('"waiting"\n');
        lock = await FileLock.acquire(path, { record: false, onWait });
        answer = 'granted';
      } else if (word === 'count') {
        answer = String(await count(path));
      } else {
        lock?.releaseSync();
        lock = null;
        answer = 'released';
      }
    } catch (error) {
      answer = `failed: ${(error as Error).message}`;
    }
    streams.stdout.write(`${JSON.stringify(answer)}\n`);
  }
  return 0;
}

/**
 * Reads a number, adds one and writes it back, under the lock. If two processes
 * hold the lock at once, they lose a round, even if the locks seem right. The
 * number is the length of a file of holes, which fits on a full disk.
 */
export async function count(path: string): Promise<number> {
  for (let round = 0; round < ROUNDS; round++) {
    const lock = await FileLock.acquire(path, { record: false });
    const counter = openSync(`${path}.count`, 'r+');
    ftruncateSync(counter, fstatSync(counter).size + 1);
    closeSync(counter);
    lock.releaseSync();
  }
  return ROUNDS;
}
