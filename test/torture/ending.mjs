// What must be true at the end; and what keeps the folder small until then.
import {
  closeSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { LOCKS } from './locks.mjs';
import { isInside } from './oracle.mjs';
import { leftOver } from './processes.mjs';
import { kernelHolders } from './watch.mjs';
import { Numbers } from './world.mjs';

const LOG_LIMIT = 8 * 2 ** 20;
const OLD = 60_000;

/** Reports what is left: processes, locks, files, words. */
export function checkEnd(world, driver) {
  const processes = leftOver(world.folder);
  if (processes.length > 0) world.violation('end', null, 0, `processes are left: ${processes}`);
  const folder = join(world.folder, 'locks');
  const holders = kernelHolders();
  const names = LOCKS.map(({ name }) => `${name}.lock`);
  for (const name of readdirSync(folder)) {
    const { ino } = statSync(join(folder, name));
    const held = holders.filter(({ inode }) => inode === `${ino}`);
    if (held.length > 0) world.violation('end', null, 0, `${name} is held by ${held[0].pid}`);
    // A thief that is killed before the rename leaves its new file.
    const thief = /^\.replaced\.lock\.(\d+)\.[0-9a-f]{12}$/.exec(name)?.[1];
    if (!names.includes(name) && !driver.killed.has(Number(thief))) {
      world.violation('end', null, 0, `a stray file: ${name}`);
    }
  }
  for (const lock of LOCKS.filter(({ files }) => files !== 'replaced')) {
    const words = new Numbers(join(world.folder, 'oracle', `${lock.name}.path`));
    if (isInside(world, words)) world.violation('end', lock, 0, 'somebody is still inside');
    words.close();
  }
}

/** The end of a lock's log. */
export function lastEvents(world, lock, bytes = 16_384) {
  try {
    const path = world.logOf(lock);
    const fd = openSync(path);
    const buffer = Buffer.alloc(bytes);
    const length = readSync(fd, buffer, 0, bytes, Math.max(0, statSync(path).size - bytes));
    closeSync(fd);
    return buffer.toString('utf8', 0, length);
  } catch {
    return '';
  }
}

/** Forgets old events, and the words of files that are long gone. */
export function tidy(world) {
  for (const lock of LOCKS) {
    const path = world.logOf(lock);
    if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) < LOG_LIMIT) continue;
    writeFileSync(`${path}.old`, lastEvents(world, lock, 2 ** 18));
    truncateSync(path);
  }
  const folder = join(world.folder, 'oracle');
  for (const name of readdirSync(folder)) {
    const file = statSync(join(folder, name), { throwIfNoEntry: false });
    if (name.endsWith('.path') || file === undefined) continue;
    if (Date.now() - file.mtimeMs > OLD) rmSync(join(folder, name), { force: true });
  }
}
