// Another process, which takes orders over IPC.
import { ClaimConflictError, Claims } from '../../../dist/claims.js';
import { Election } from '../../../dist/election.js';
import { FileLock, inspect } from '../../../dist/index.js';
import { InstanceLock } from '../../../dist/instance.js';
import { withNextId } from '../../../dist/next-id.js';

const locks = new Map();
let controller = new AbortController();
let number = 0;

function keep(lock) {
  locks.set(++number, lock);
  return { lock: number, token: lock.token, previous: lock.previous?.pid ?? null };
}

const jobs = {
  async acquire({ path, options }) {
    const signal = controller.signal;
    return keep(await FileLock.acquire(path, { ...options, signal }));
  },
  tryAcquire({ path, options }) {
    const lock = FileLock.tryAcquire(path, options);
    return lock === null ? null : keep(lock);
  },
  acquireSync: ({ path, options }) => keep(FileLock.acquireSync(path, options)),
  abort({ reason }) {
    controller.abort(new Error(reason));
    controller = new AbortController();
  },
  release: ({ lock }) => locks.get(lock).releaseSync(),
  inspect: ({ path, options }) => inspect(path, options),
  instance: async ({ path, options }) => keep(await InstanceLock.acquire(path, options)),
  async claim({ folder, agent, files, options }) {
    const claims = new Claims(folder, { root: options.root });
    try {
      const claim = await claims.claim({ agent, files, ...options.claim });
      locks.set(++number, claim);
      return { lock: number, active: claim.files };
    } catch (error) {
      if (error instanceof ClaimConflictError) return { conflict: error.code };
      throw error;
    }
  },
  releaseClaim: ({ lock }) => locks.get(lock).release(),
  async join({ folder, member }) {
    const election = await Election.join(folder, { id: member });
    locks.set(++number, election);
    election.on('primary', () => process.send({ primary: member, term: election.term }));
    return { lock: number };
  },
  leave: ({ lock }) => locks.get(lock).leave(),
  async ids({ folder, count }) {
    const ids = [];
    for (let turn = 0; turn < count; turn++) {
      ids.push((await withNextId(folder, (id) => id)).id);
    }
    return ids;
  },
  exit: ({ code }) => process.exit(code),
};

process.on('message', async ({ id, job, ...rest }) => {
  try {
    const result = await jobs[job](rest);
    process.send({ id, result });
  } catch (error) {
    const { name, message, code, holder, timeout } = error;
    process.send({ id, error: { name, message, code, holder, timeout } });
  }
});
process.on('disconnect', () => process.exit());
process.send('ready');
