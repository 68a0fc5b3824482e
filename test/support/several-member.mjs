// Takes some of the locks in a folder, again and again, in random orders and
// spellings, and marks which it holds. Says `turn` after each; exits with 9 if
// another process that is alive holds one as well.
import { readFileSync, readlinkSync, symlinkSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { withLocks } from '../../dist/index.js';

const [folder = '', ...names] = process.argv.slice(2);
// So long a wait is a deadlock: no turn takes more than milliseconds.
const TIMEOUT = 15_000;
const END_MILLISECONDS = 2000;

const random = (below) => Math.floor(Math.random() * below);

function someInAnyOrder() {
  const rest = [...names];
  const some = [];
  const count = random(3) === 0 ? names.length : 1 + random(names.length);
  while (some.length < count) some.push(...rest.splice(random(rest.length), 1));
  return some;
}

const markOf = (name) => join(folder, `${name}.mark`);

/** False for a process that has ended or is a zombie. */
function isAlive(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return !/^\) [ZX]/.test(stat.slice(stat.lastIndexOf(')')));
  } catch {
    return false;
  }
}

/** The kernel frees the locks of a process that ends, and makes it a zombie afterwards. */
function waitForEnd(name, pid) {
  const end = performance.now() + END_MILLISECONDS;
  while (isAlive(pid)) {
    if (readMark(name) === pid && performance.now() < end) continue;
    writeSync(2, `${name} was held by ${pid} and by ${process.pid}\n`);
    process.exit(9);
  }
}

function readMark(name) {
  try {
    return readlinkSync(markOf(name));
  } catch {
    return null;
  }
}

function mark(name) {
  try {
    // Atomic, and says whose it is.
    symlinkSync(String(process.pid), markOf(name));
  } catch {
    const other = readMark(name);
    if (other !== null) waitForEnd(name, other);
    unlinkSync(markOf(name));
    mark(name);
  }
}

for (;;) {
  const some = someInAnyOrder();
  const paths = some.map((name) => join(folder, random(2) === 0 ? 'link' : '.', name));
  await withLocks(paths, { timeout: TIMEOUT }, async () => {
    for (const name of some) mark(name);
    await new Promise(random(2) === 0 ? setImmediate : (done) => setTimeout(done, 1));
    for (const name of some) unlinkSync(markOf(name));
  });
  writeSync(1, 'turn\n');
}
