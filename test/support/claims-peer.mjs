// Another process that does with claims what the test tells it to, one message
// at a time. It runs the built package.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { codeOf, storms } from './claims-storms.mjs';
import { serve, tell } from './serve.mjs';

// What a test does right before a call, by the call's name. Set up before the
// package reads the functions.
const meddlers = new Map();
for (const name of [
  'closeSync',
  'openSync',
  'readdirSync',
  'renameSync',
  'unlinkSync',
  'writeFileSync',
]) {
  const real = fs[name];
  fs[name] = (...args) => {
    meddlers.get(name)?.(args);
    return real(...args);
  };
}

const { Claims } = await import(new URL('../../dist/claims.js', import.meta.url).href);
const held = new Map();
/** What `open` was called with. */
const peer = { claims: undefined, directory: undefined, held };

const describe = (claim) => ({
  agent: claim.agent,
  files: claim.files,
  directories: claim.directories,
  lockedAt: claim.lockedAt,
  expiresAt: claim.expiresAt,
  fd: claim.fd,
  aborted: claim.signal.aborted,
  reason: claim.signal.aborted ? claim.signal.reason.code : null,
});
const keep = (claim) => {
  const { agent } = claim;
  held.set(agent, claim);
  claim.signal.addEventListener('abort', () => tell('lost', agent, claim.signal.reason.code));
  return describe(claim);
};

/** The path that an argument means, also where it is a descriptor. */
const pathOf = (each) => {
  if (typeof each !== 'number') return String(each);
  try {
    return fs.readlinkSync(`/proc/self/fd/${each}`);
  } catch {
    return '';
  }
};

/** Once, right before the `nth` call of `fs[name]` with a path that has `part`. */
const before = ({ name, part, nth = 1 }, action) => {
  let left = nth;
  meddlers.set(name, (args) => {
    if (!args.some((each) => pathOf(each).includes(part)) || --left > 0) return;
    meddlers.delete(name);
    action();
    tell('meddled');
  });
};

serve({
  open(path, options) {
    peer.directory = path;
    peer.claims = new Claims(path, options);
  },
  claim: async (request, options = {}) =>
    keep(
      await peer.claims.claim(request, {
        ...options,
        onWait: () => tell('waiting', request.agent, null),
      }),
    ),
  claimAll: async (requests, options) => (await peer.claims.claimAll(requests, options)).map(keep),
  async extend(agent, request) {
    await held.get(agent).extend(request);
    return describe(held.get(agent));
  },
  /** So many claims at once, each of another agent and file; how many fail, and why. */
  async crowd(name, count, request = {}) {
    const codes = await Promise.all(
      Array.from({ length: count }, (_, at) =>
        codeOf(() =>
          peer.claims.claim({ agent: `${name}-${at}`, files: [`${name}/${at}`], ...request }),
        ),
      ),
    );
    return codes.map(({ code }) => code).filter((code) => code !== undefined);
  },
  renew: (agent, ttl) => held.get(agent).renew(ttl),
  release: (agent) => held.get(agent).release(),
  describe: (agent) => describe(held.get(agent)),
  covers: (agent, path) => held.get(agent).covers(path),
  releaseAgent: (agent, options) => peer.claims.release(agent, options),
  releaseAll: (options) => peer.claims.releaseAll(options),
  list: () => peer.claims.list(),
  waits: () => peer.claims.waits(),
  audit: () => peer.claims.audit(),
  check: (paths, options) => peer.claims.check(paths, options),
  prune: () => peer.claims.prune(),
  exit: (code) => process.exit(code),
  /** Enters the section of the folder and is stopped inside. */
  async enterAndStop() {
    const { FileLock } = await import(new URL('../../dist/index.js', import.meta.url).href);
    held.set('section', await FileLock.acquire(peer.directory, { record: false }));
    setImmediate(() => process.kill(process.pid, 'SIGSTOP'));
  },

  /** A program that inherits the claim's descriptor and outlives this one. */
  lend(agent) {
    const child = spawn('sleep', ['60'], {
      stdio: ['ignore', 'ignore', 'ignore', held.get(agent).fd],
      detached: true,
    });
    child.unref();
    return child.pid;
  },
  fileOfDescriptor: (agent) => fs.fstatSync(held.get(agent).fd).ino,

  /**
   * An intervention between two system calls: removes a path, and writes `files`
   * (a folder that was removed is created again for them).
   */
  meddle(call, { remove, files = {} }) {
    before(call, () => {
      fs.rmSync(remove, { recursive: true });
      for (const [file, content] of Object.entries(files)) {
        fs.mkdirSync(peer.directory, { recursive: true });
        fs.appendFileSync(join(peer.directory, file), content);
      }
    });
  },

  ...storms(peer),
});
process.on('disconnect', () => process.exit());
