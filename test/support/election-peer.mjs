// Another process (or worker thread) with members of elections, which does what
// the test tells it to, one message at a time. It runs the built package.
import { parentPort } from 'node:worker_threads';
import { plain, serve, tell } from './serve.mjs';

const { Election } = await import(new URL('../../dist/election.js', import.meta.url).href);
const elections = new Map();
const works = new Map();

const describe = ({ id, isPrimary, term }) => ({ id, isPrimary, term });

serve({
  async join(name, directory, { deaf = false, ...options } = {}) {
    const election = await Election.join(directory, options);
    elections.set(name, election);
    // When: by a clock that all processes share.
    const now = () => Number(process.hrtime.bigint() / 1000n) / 1000;
    election.on('primary', (term) => tell('primary', name, { term, at: now() }));
    election.on('standby', () =>
      tell('standby', name, { isPrimary: election.isPrimary, at: now() }),
    );
    if (!deaf) election.on('error', (error) => tell('error', name, plain(error)));
    return describe(election);
  },
  watch(name) {
    elections.get(name).on('members', (members) => tell('members', name, members));
  },
  leave: (name) => elections.get(name).leave(),
  describe: (name) => describe(elections.get(name)),
  members: (name) => elections.get(name).members(),
  primary: (name) => elections.get(name).primary(),
  whenPrimary: (name) => elections.get(name).whenPrimary(),
  lead: (name) =>
    elections.get(name).lead(({ term, signal }) => {
      signal.addEventListener('abort', () => tell('aborted', name, signal.reason.code));
      tell('leading', name, term);
      return new Promise((resolve) => works.set(name, resolve));
    }),
  endLead: (name, value) => works.get(name)(value),
  async joinMany(directory, prefix, count) {
    const names = Array.from({ length: count }, (_, at) => `${prefix}-${at}`);
    const joined = await Promise.all(names.map((id) => Election.join(directory, { id })));
    for (const each of joined) elections.set(each.id, each);
    return joined.length;
  },
  async leaveMany() {
    await Promise.all([...elections.values()].map((each) => each.leave()));
    return [...elections.values()].filter(({ term }) => term > 0).length;
  },
  primaries: () => [...elections.values()].filter(({ isPrimary }) => isPrimary).map(({ id }) => id),
  exit: (code) => process.exit(code),
  crash() {
    setImmediate(() => {
      throw new Error('uncaught, on purpose');
    });
  },
  abort: () => process.abort(),
});
if (parentPort === null) process.on('disconnect', () => process.exit());
