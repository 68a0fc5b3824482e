import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { Slots } from '../../src/slots.js';
import { until } from '../support/census.js';
import { testFolder } from '../support/folder.js';
import { randomFrom } from '../support/next-id-program.js';
import { forked, Remote } from '../support/remote.js';
import { inTwoSizes } from '../support/sizes.js';

class Worker extends Remote {
  running: Promise<number> = Promise.resolve(0);

  static async start(folder: string, slots: number, marks: string): Promise<Worker> {
    const worker = new Worker(forked('./slots-storm.mjs'));
    await worker.event('ready');
    worker.running = worker.call('run', folder, slots, marks);
    return worker;
  }
}

inTwoSizes(
  ({ workers, slots, kills }) =>
    `${workers} processes on ${slots} slots, with ${kills} kills: never more, and none is lost`,
  {
    short: { workers: 3, slots: 2, kills: 2 },
    long: { workers: 12, slots: 4, kills: 100 },
  },
  async ({ workers, slots, kills }) => {
    const folder = join(testFolder(), 'slots');
    const marks = testFolder();
    mkdirSync(folder);
    const entries = (): number =>
      statSync(join(marks, 'entries'), { throwIfNoEntry: false })?.size ?? 0;
    const starting = new Set<Promise<void>>();
    const start = (): void => {
      const started = Worker.start(folder, slots, marks).then((worker) => {
        starting.delete(started);
        alive.push(worker);
        all.push(worker);
      });
      starting.add(started);
    };
    const random = randomFrom(7);
    const all: Worker[] = [];
    const alive: Worker[] = [];
    for (let count = 0; count < workers; count++) start();
    await Promise.all(starting);
    for (let kill = 0; kill < kills; kill++) {
      // They go on after each kill.
      const before = entries();
      await until(() => entries() > before + slots);
      const [victim] = alive.splice(Math.floor(random() * alive.length), 1);
      await victim?.kill();
      start();
      // Starts take longer than all the rest.
      while (alive.length <= workers / 2) await Promise.race(starting);
    }
    await Promise.all(starting);
    for (const worker of alive) await worker.call('stop');
    for (const worker of alive) expect(await worker.running).toBeGreaterThanOrEqual(0);
    expect(all.map((worker) => worker.count('violation'))).toEqual(all.map(() => 0));
    // None is lost: each slot can be taken.
    const ground = new Slots(folder, { slots });
    const taken = Array.from({ length: slots }, () => ground.tryAcquire());
    expect(taken.map((slot) => slot?.number)).toEqual(taken.map((_, index) => index + 1));
    for (const slot of taken) slot?.releaseSync();
    expect(await ground.inspect()).toMatchObject({ taken: 0, waiters: [] });
  },
);
