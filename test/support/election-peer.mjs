// Another process (or worker thread) with members of elections, which does what
// the test tells it to, one message at a time. It runs the built package.
import { parentPort } from 'node:worker_threads';

const send = parentPort
  ? (message) => parentPort.postMessage(message)
  : (message) => process.connected && process.send(message);
const listen = parentPort
  ? (fn) => parentPort.on('message', fn)
  : (fn) => process.on('message', fn);

const { Election } = await import(new URL('../../dist/election.js', import.meta.url).href);
const elections = new Map();
const works = new Map();

const plain = (error) => ({
  name: error?.name,
  message: error?.message,
  code: error?.code,
  syscall: error?.syscall,
  holder: error?.holder,
});
const describe = ({ id, isPrimary, term }) => ({ id, isPrimary, term });

const methods = {
  async join(name, directory, { deaf = false, ...options } = {}) {
    const election = await Election.join(directory, options);
    elections.set(name, election);
    const tell = (event, value) => send({ event, about: name, value });
    // When: by a clock that all processes share.
    const now = () => Number(process.hrtime.bigint() / 1000n) / 1000;
    election.on('primary', (term) => tell('primary', { term, at: now() }));
    election.on('standby', () => tell('standby', { isPrimary: election.isPrimary, at: now() }));
    if (!deaf) election.on('error', (error) => tell('error', plain(error)));
    return describe(election);
  },
  watch(name) {
    elections
      .get(name)
      .on('members', (members) => send({ event: 'members', about: name, value: members }));
  },
  leave: (name) => elections.get(name).leave(),
  describe: (name) => describe(elections.get(name)),
  members: (name) => elections.get(name).members(),
  primary: (name) => elections.get(name).primary(),
  whenPrimary: (name) => elections.get(name).whenPrimary(),
  lead: (name) =>
    elections.get(name).lead(({ term, signal }) => {
      signal.addEventListener('abort', () =>
        send({ event: 'aborted', about: name, value: signal.reason.code }),
      );
      send({ event: 'leading', about: name, value: term });
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
};

listen(async ({ id, method, args }) => {
  try {
    send({ id, value: await methods[method](...args) });
  } catch (error) {
    send({ id, error: plain(error) });
  }
});
if (parentPort === null) {
  process.on('warning', ({ code, message }) =>
    send({ event: 'warning', about: code, value: message }),
  );
  process.on('disconnect', () => process.exit());
}
send({ event: 'ready' });
