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

/** How much has to be seen. A time would end a storm on a busy machine before it began. */
interface Size {
  workers: number;
  /** First instances that end. */
  ends: number;
  /** Messages that are acknowledged. */
  messages: number;
}
const SIZES = {
  short: { workers: 4, ends: 5, messages: 30 },
  long: { workers: 8, ends: 30, messages: 300 },
};

/** What all workers have written down. */
class Storm {
  readonly folder = testFolder();
  readonly path = lockPath();
  readonly #size: Size;
  readonly #programs: Program[] = [];
  #hasEnough = false;

  constructor(size: Size) {
    this.#size = size;
    writeFileSync(join(this.folder, 'inside'), '');
    for (let worker = 0; worker < size.workers; worker++) this.#start();
  }

  #start(): void {
    const program = Program.start(process.execPath, [WORKER, this.folder, this.path]);
    this.#programs.push(program);
    void program.exited.then(() => {
      if (!this.#hasEnough) this.#start();
    });
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

  /** Goes on until there was enough to see, and judges that. `ended`: how many firsts have. */
  async rage(ended: () => number | Promise<number>): Promise<void> {
    const { ends, messages } = this.#size;
    while ((await ended()) < ends || this.notes('acknowledged').length < messages) {
      await pause(Math.random() * 60);
    }
    this.#hasEnough = true;
    writeFileSync(join(this.folder, 'enough'), '');
    for (const { exited } of this.#programs) {
      expect(await exited).toMatchObject({ code: 0, stderr: '' });
    }
    // Never two firsts, and no answer to another message.
    expect(this.notes('two')).toEqual([]);
    // Every message that was acknowledged was received.
    const received = new Set(this.notes('received'));
    expect(this.notes('acknowledged').filter((each) => !received.has(each))).toEqual([]);
  }
}

const titled =
  (what: string) =>
  ({ workers, ends, messages }: Size) =>
    `${workers} senders of ${messages} messages, ${ends} of whose firsts ${what}`;

inTwoSizes(
  titled('are killed: never two, and what was acknowledged was received'),
  SIZES,
  async (size) => {
    const storm = new Storm(size);
    let kills = 0;
    await storm.rage(async () => {
      if (await storm.killFirst()) kills++;
      return kills;
    });
  },
);

inTwoSizes(titled('end: no message is received twice'), SIZES, async (size) => {
  const storm = new Storm(size);
  await storm.rage(() => storm.notes('firsts').length - 1);
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
