// All processes of the machine read the table that this file fills: see `ALONE`
// in vitest.config.ts.
import { expect } from 'vitest';
import { inspect } from '../../src/index.js';
import { lockPath } from '../support/folder.js';
import { holding, refusalSoon } from '../support/holding.js';
import { Peer } from '../support/peer.js';
import { needs } from '../support/tools.js';

needs('python3')('20,000 locks of somebody else: the holder is found, or not known', async () => {
  const path = lockPath();
  const peer = await Peer.start();
  await peer.acquire('a', path);
  const many = `
import struct
files = [open(sys.argv[1] + '.' + str(number), 'w') for number in range(100)]
for at in range(200):
    for file in files:
        fcntl.fcntl(file, fcntl.F_SETLK, struct.pack('hhqqi', fcntl.F_WRLCK, 0, 2 * at, 1, 0))
print('held', flush=True)`;
  await holding(path, many);
  const error = await refusalSoon(path);
  // The table is longer than is read, and the newest are its beginning: the
  // record is what is left, and nobody is told that the lock is free.
  expect(error.holder).toMatchObject({ pid: peer.pid });
  expect(['held', 'unknown']).toContain((await inspect(path)).state);
});
