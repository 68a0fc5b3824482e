// Two ways to choose one of several, on the same schedule. `shared`: a JSON file
// that everyone reads, changes and writes, as before there was an election: the
// last writer wins. `election`: the package.
//   1. All begin with an empty folder, and wait for each other.
//   2. Each reads who is there, and waits until all have read.
//   3. Each enters itself, primary if it has seen none, and says what it is.
//   4. Each reads once more, and says whom the file names.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const { Election } = await import(new URL('../../dist/election.js', import.meta.url).href);
let directory;
let id;
let way;
let seen;
let election;

const file = () => join(directory, 'instances.json');
const read = () => {
  try {
    return JSON.parse(readFileSync(file(), 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT') return {};
    throw error;
  }
};

const steps = {
  begin(given) {
    ({ directory, id, way } = given);
  },
  async read() {
    if (way === 'shared') {
      seen = read();
      return Object.keys(seen);
    }
    election = await Election.join(directory, { id, settle: 150 });
    return (await election.members()).map((each) => each.id);
  },
  async write() {
    if (way === 'election') return election.isPrimary;
    const isPrimary = !Object.values(seen).some((each) => each.isPrimary);
    writeFileSync(file(), JSON.stringify({ ...seen, [id]: { isPrimary, pid: process.pid } }));
    return isPrimary;
  },
  async look() {
    if (way === 'shared') return Object.keys(read());
    return (await election.members()).map((each) => each.id);
  },
  isPrimary: () => election.isPrimary,
  leave: () => election.leave(),
};

process.on('message', async ({ step, value }) =>
  process.send({ step, value: await steps[step](value) }),
);
process.on('disconnect', () => process.exit());
process.send({ step: 'ready' });
