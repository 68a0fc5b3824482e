import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { holderOf } from '../../src/holders/who-holds.js';
import { lockPath, testFolder } from '../support/folder.js';
import { runningInstance } from '../support/instance.js';
import { send } from '../support/messages.js';
import { Program } from '../support/program.js';
import { errorOf } from '../support/refused.js';
import { inTwoSizes } from '../support/sizes.js';

const WORKER = fileURLToPath(new URL('../support/messages-worker.mjs', import.meta.url));

/** What all workers have written down. */
class Storm {
  readonly folder = testFolder();
  readonly path = lockPath();
  readonly #end: number;
  readonly #programs: Program[] = [];

  constructor({ workers, seconds }: { workers: number; seconds: number }) {
    this.#end = performance.now() + seconds * 1000;
    writeFileSync(join(this.folder, 'inside'), '');
    for (let worker = 0; worker < workers; worker++) this.#start();
  }

  #start(): void {
    const args = [WORKER, this.folder, this.path, String(this.remaining)];
    const program = Program.start(process.execPath, args);
    this.#programs.push(program);
    void program.exited.then(() => {
      if (this.remaining > 0) this.#start();
    });
  }

  get remaining(): number {
    return this.#end - performance.now();
  }

  notes(file: string): string[] {
    const place = join(this.folder, file);
    return existsSync(place) ? readFileSync(place, 'utf8').trimEnd().split('\n') : [];
  }

  /** Kills the first instance, wherever it is; another worker starts. False: there is none. */
  async killFirst(): Promise<boolean> {
    const pid = readFileSync(join(this.folder, 'inside'), 'utf8');
    const first = this.#programs.find((each) => String(each.pid) === pid);
    if (first === undefined) return false;
    writeFileSync(join(this.folder, `killed-${pid}`), '');
    await first.kill();
    this.#programs.splice(this.#programs.indexOf(first), 1);
    return true;
  }

  async finish(): Promise<void> {
    for (const { exited } of this.#programs) {
      expect(await exited).toMatchObject({ code: 0, stderr: '' });
    }
    // Never two firsts, and no answer to another message.
    expect(this.notes('two')).toEqual([]);
    // Every message that was acknowledged was received.
    const received = new Set(this.notes('received'));
    expect(this.notes('acknowledged').filter((each) => !received.has(each))).toEqual([]);
    // There was something to see.
    expect(this.notes('acknowledged').length).toBeGreaterThan(0);
    expect(new Set(this.notes('firsts')).size).toBeGreaterThan(1);
  }
}

const SIZES = { short: { workers: 4, seconds: 1.5 }, long: { workers: 8, seconds: 12 } };
const titled = (what: string) => (size: typeof SIZES.short) =>
  `${size.workers} senders for ${size.seconds} s, ${what}`;

inTwoSizes(
  titled('whose firsts are killed: never two, and what was acknowledged was received'),
  SIZES,
  async (size) => {
    const storm = new Storm(size);
    let kills = 0;
    while (storm.remaining > 0) {
      await pause(Math.random() * 60);
      if (await storm.killFirst()) kills++;
    }
    await storm.finish();
    expect(kills).toBeGreaterThan(0);
  },
);

inTwoSizes(titled('whose firsts end: no message is received twice'), SIZES, async (size) => {
  const storm = new Storm(size);
  await storm.finish();
  const received = storm.notes('received');
  expect(received.length).toBe(new Set(received).size);
  expect(storm.notes('acknowledged').sort()).toEqual(received.sort());
  expect(readdirSync(dirname(storm.path))).toEqual([]);
});

test('a hundred senders that give up together look for the holder once', async () => {
  const path = lockPath();
  const holder = await runningInstance(path);
  const readsIn = async (work: () => unknown): Promise<number> => {
    const before = readsOf();
    await work();
    return readsOf() - before;
  };
  const one = await readsIn(() => holderOf(path));
  expect(one).toBeGreaterThan(1);
  // Nobody listens, so they do not read an answer; each attempt reads nothing.
  const together = await readsIn(async () => {
    const sending = Array.from({ length: 100 }, () => errorOf(() => send(path, 1, { timeout: 1 })));
    for (const error of await Promise.all(sending)) {
      expect(error).toMatchObject({
        code: 'ERR_INSTANCE_NO_ANSWER',
        holder: { pid: holder.pid },
      });
    }
  });
  expect(together).toBeLessThan(50 * one);
});

/** System calls that read, of this process. */
function readsOf(): number {
  return Number(/^syscr: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]);
}
