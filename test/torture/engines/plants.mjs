// Breaches of the rules, on purpose: each is one that an engine could well have,
// put into the copy of the package that the members run.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const PLANTS = {
  postgres: {
    /** A server is believed to be there, silent or gone. */
    deaf: [
      ['this.destroy(silence(patience))', 'void silence'],
      ['client.on("error", (error) => this.destroy(error));', 'client.on("error", () => {});'],
      ['client.on("end", () => this.destroy(new Error("the connection was closed")));', ''],
    ],
    /** Nobody asks after an error whether the lock was granted. */
    question: [
      ['if (isOver && !signal.aborted && await owns(session, want))', 'if (false)'],
      ['if (await owns(session, want)) await unlock(session, want);', ''],
    ],
    /** Tokens come from the clock of each member: see member.mjs. */
    clock: [],
  },
  etcd: {
    deaf: [['const OWN_PART = 2 / 3;', 'const OWN_PART = 1000;']],
    /** Whoever was just ahead has gone, so the lock is believed to be free. */
    look: [
      ['isThere = await call.patiently(gateway, ttl, look, ended.signal);', 'place.ahead = null;'],
    ],
    clock: [],
  },
};

export function plantsOf(engine) {
  return Object.keys(PLANTS[engine]);
}

export function plant(folder, engine, name) {
  const path = join(folder, 'dist', `${engine}.js`);
  let text = readFileSync(path, 'utf8');
  for (const [before, after] of PLANTS[engine][name]) {
    if (text.split(before).length !== 2) throw new Error(`${path}: not once in it: ${before}`);
    text = text.replace(before, () => after);
  }
  writeFileSync(path, text);
}
