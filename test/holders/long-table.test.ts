import { expect, test } from 'vitest';
import {
  Budget,
  inspectionBudget,
  type Look,
  type Walk,
  walkSync,
} from '../../src/holders/kernel-tables.js';
import { type KernelView, viewKernel } from '../../src/holders/kernel-view.js';
import { readContent } from '../../src/holders/lock-file.js';
import { whilePinned } from '../../src/holders/pinned-file.js';
import { FileLock } from '../../src/index.js';
import { lockPath } from '../support/folder.js';
import { Peer } from '../support/peer.js';

/** Locks of another program, as many as are read of the table and more. */
const OTHERS = '1: POSIX  ADVISORY  WRITE 1 00:00:1 0 0\n'.repeat(40_000);

/** Runs the walk with `table` in the place of the first bytes of /proc/locks. */
function withTable<R>(walk: Walk<R>, table: (limit: number) => string): R {
  let step = walk.next();
  while (step.done !== true) {
    const look: Look = step.value;
    const given = 'text' in look && look.text === '/proc/locks' ? table(look.limit) : undefined;
    step = walk.next(given ?? walkSync(answerTo(look)));
  }
  return step.value;
}

function* answerTo(look: Look): Walk<string | string[] | null> {
  return yield look;
}

function view(path: string, everyHolder: boolean, budget: Budget): KernelView | null {
  return whilePinned(path, (file) =>
    withTable(viewKernel(file ?? '', readContent(path), { everyHolder, budget }), (limit) =>
      OTHERS.slice(0, limit),
    ),
  );
}

for (const everyHolder of [true, false]) {
  const whom = everyHolder ? 'all holders' : 'the one to name';

  test(`a lock behind those that are read of the table is held: ${whom}`, async () => {
    const path = lockPath();
    const peer = await Peer.start();
    await peer.acquire('a', path, { data: { port: 80 } });
    expect(view(path, everyHolder, inspectionBudget())).toMatchObject({
      mode: 'exclusive',
      holders: [{ pid: peer.pid, source: 'kernel', verified: true, data: { port: 80 } }],
    });
  });

  test(`and so where the time is up at the first look: ${whom}`, async () => {
    const path = lockPath();
    const peer = await Peer.start();
    await peer.acquire('a', path);
    expect(view(path, everyHolder, new Budget(1000, 0))).toMatchObject({
      mode: 'exclusive',
      holders: [{ pid: peer.pid, verified: true }],
    });
  });

  test(`without a record, the descriptors of all processes tell: ${whom}`, async () => {
    const path = lockPath();
    const peer = await Peer.start();
    await peer.acquire('a', path, { mode: 'shared' });
    expect(view(path, everyHolder, inspectionBudget())).toMatchObject({
      mode: 'shared',
      holders: [{ pid: peer.pid, verified: true, since: null }],
    });
  });

  test(`but that nobody holds it cannot be seen: ${whom}`, () => {
    const path = lockPath();
    FileLock.acquireSync(path).releaseSync();
    expect(view(path, everyHolder, inspectionBudget())).toBeNull();
  });
}
