import { closeSync, fstatSync, ftruncateSync, openSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { FileLock } from '../lock/file-lock.js';
import type { Streams } from './streams.js';

const ROUNDS = 200;

/**
 * The second process of `holdfast doctor`: does what it is told, a line each,
 * and answers each with a line.
 */
export async function peer(streams: Streams): Promise<number> {
  let lock: FileLock | null = null;
  // A pipe that it shares with nobody.
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
 * Reads, adds one, writes. Two who are inside at once lose a round, which a
 * look at the locks alone might not show. The number is the length of a file
 * without content, which a full disk has room for.
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
