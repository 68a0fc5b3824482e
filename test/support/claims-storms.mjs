// What peers do again and again, or all at once: they fight for paths, and judge
// each other by marks that the package knows nothing of.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { tell } from './serve.mjs';

export const codeOf = async (call) => {
  try {
    return { value: await call() };
  } catch (error) {
    return { code: error.code ?? `${error}` };
  }
};
const idOf = (file) => {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8')).id;
  } catch (error) {
    // Gone; or its path is just being created again.
    if (error.code === 'ENOENT') return null;
    throw error;
  }
};
// Lets timers and IPC run.
const breathe = () => new Promise(setImmediate);
/** This many grants show that it was served again and again. */
const ENOUGH = 12;
const counter = () => {
  const counts = {};
  const add = (name) => {
    counts[name] = (counts[name] ?? 0) + 1;
    if (name === 'claim granted' && counts[name] === ENOUGH) tell('enough');
  };
  return { counts, add };
};

/**
 * The independent judge: a file for each claimed literal path, which cannot be
 * created twice. A file that exists already is a double grant.
 */
const mark = (markers, paths) => {
  const made = [];
  const doubles = [];
  for (const path of paths) {
    const marker = join(markers, path.replaceAll('/', '+'));
    try {
      fs.closeSync(fs.openSync(marker, 'wx'));
      made.push(marker);
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      doubles.push(path);
    }
  }
  return { doubles, unmark: () => made.forEach((each) => void fs.unlinkSync(each)) };
};

/** The same for a peer that may be killed: the marks of a dead peer no longer count. */
const markOwn = async (markers, paths) => {
  const doubles = [];
  for (const path of paths) {
    const marker = join(markers, path.replaceAll('/', '+'));
    for (let left = 100; ; left--) {
      try {
        fs.writeFileSync(marker, `${process.pid}`, { flag: 'wx' });
        break;
      } catch (error) {
        if (error.code !== 'EEXIST') throw error;
      }
      if (isGone(marker)) fs.rmSync(marker, { force: true });
      else if (left === 0) {
        doubles.push(path);
        break;
      }
      // The kernel may not be done with the other one's end.
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
  return doubles;
};
const unmarkOwn = (markers, paths) => {
  for (const path of paths) fs.unlinkSync(join(markers, path.replaceAll('/', '+')));
};
const isGone = (marker) => {
  try {
    const pid = fs.readFileSync(marker, 'utf8');
    return pid !== '' && !process.kill(Number(pid), 0);
  } catch (error) {
    return error.code === 'ESRCH';
  }
};

let stopping = false;
let marked = null;

/** The calls of `peer`, which has `claims`, `directory` and the claims that it `held`. */
export const storms = (peer) => ({
  /** Claims at once, and keeps what it got, marked, until `endRound`. */
  async round(request, literals, markers) {
    try {
      const claim = await peer.claims.claim(request);
      peer.held.set(request.agent, claim);
    } catch (error) {
      return { won: false, code: error.code, with: error.conflicts?.map((each) => each.agents[1]) };
    }
    marked = mark(markers, literals);
    return { won: true, doubles: marked.doubles };
  },
  async endRound(agent) {
    marked?.unmark();
    const released = marked === null ? null : await peer.held.get(agent).release();
    marked = null;
    return released;
  },
  /** Claims, waiting for the others, and lets go at once. */
  async turn(request, literals, markers, timeout) {
    const claim = await peer.claims.claim(request, { timeout });
    const { doubles, unmark } = mark(markers, literals);
    unmark();
    return { doubles, released: await claim.release() };
  },

  /**
   * Claims one random path more, again and again, and lets go of all now and
   * then. A refusal because of a circle is not a failure: it lets go then, too.
   */
  async collect(agent, paths, rounds, markers, seed) {
    const counts = { grants: 0, circles: 0, doubles: [] };
    let state = seed;
    const random = (below) => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return (state >>> 8) % below;
    };
    let claim = null;
    let marks = [];
    const letGo = async () => {
      for (const { unmark } of marks) unmark();
      marks = [];
      await claim?.release();
      claim = null;
    };
    for (let round = 0; round < rounds; round++) {
      const path = paths[random(paths.length)];
      const files = [...new Set([...(claim?.files ?? []), path])];
      if (files.length > 3 || random(5) === 0) await letGo();
      else if (files.length !== claim?.files.length) {
        try {
          claim = await peer.claims.claim({ agent, files }, { timeout: 20_000 });
          counts.grants++;
          marks.push(mark(markers, [path]));
          counts.doubles.push(...marks.at(-1).doubles);
        } catch (error) {
          if (!(error.circle?.length > 0)) throw error;
          counts.circles++;
          await letGo();
        }
      }
      await breathe();
    }
    await letGo();
    return counts;
  },

  /**
   * Extends its claim by scopes and shrinks it by others, at random, and marks
   * the paths that it has. `scopes`: each with the paths of the tree that it covers.
   */
  async wander(agent, scopes, markers, rounds) {
    const { counts, add } = counter();
    const has = new Set();
    const claim = await peer.claims.claim({ agent, files: [`own/${agent}.txt`], bind: true });
    for (let round = 0; round < rounds && !stopping; round++) {
      const { scope, paths } = scopes[Math.floor(Math.random() * scopes.length)];
      if (Math.random() < 0.6) {
        const { code } = await codeOf(() => claim.extend(scope));
        add(`extend ${code ?? 'granted'}`);
        if (code === undefined) {
          const more = paths.filter((path) => !has.has(path));
          for (const path of more) has.add(path);
          for (const path of await markOwn(markers, more)) add(`DOUBLE ${path}`);
        }
      } else {
        // What an exception leaves out is not released either.
        const taken = paths.filter((path) => has.delete(path));
        unmarkOwn(markers, taken);
        const { value } = await codeOf(() => peer.claims.release(agent, { paths }));
        add(`release ${value}`);
      }
      if (round % 8 === 0 && has.size > 0) {
        for (const { path, verdict } of await peer.claims.check([...has], { as: agent })) {
          if (verdict !== 'mine') add(`${verdict.toUpperCase()} ${path}`);
        }
      }
      if (claim.signal.aborted) {
        add(`LOST ${claim.signal.reason.message}`);
        return counts;
      }
      await breathe();
    }
    unmarkOwn(markers, [...has]);
    add(`end ${await claim.release()}`);
    return counts;
  },

  stop() {
    stopping = true;
  },
  /** Reads the claims again and again. */
  async observe() {
    const { counts, add } = counter();
    while (!stopping) {
      add('looks');
      for (const { state } of await peer.claims.list()) add(state);
      for (const _ of await peer.claims.audit()) add('audited');
      await breathe();
    }
    return counts;
  },
  /** Claims, renews and releases, whatever happens to the files. */
  async live(request) {
    const { counts, add } = counter();
    while (!stopping) {
      const got = await codeOf(() => peer.claims.claim(request));
      add(`claim ${got.code ?? 'granted'}`);
      for (let again = 0; again < 3 && got.value; again++) {
        const { code } = await codeOf(() => got.value.renew());
        add(`renew ${code ?? 'done'}`);
        await breathe();
      }
      if (got.value) {
        const { code, value } = await codeOf(() => got.value.release());
        add(`release ${code ?? value}`);
      }
      await breathe();
    }
    return counts;
  },
  /**
   * The same in a folder that vanishes: a peer that is granted the scope marks it
   * with its claim's id. If another peer's mark is there, their claims must not
   * both be in the folder.
   */
  async contend(request, marker) {
    const { counts, add } = counter();
    const fileOf = (agent) => join(peer.directory, `${agent}.lock`);
    while (!stopping) {
      const { value: claim, code } = await codeOf(() => peer.claims.claim(request));
      add(`claim ${code ?? 'granted'}`);
      if (claim) {
        const id = idOf(fileOf(request.agent));
        const own = `${marker}.${process.pid}`;
        fs.writeFileSync(own, JSON.stringify({ agent: request.agent, id }));
        try {
          fs.linkSync(own, marker);
          await breathe();
          fs.unlinkSync(marker);
        } catch (error) {
          if (error.code !== 'EEXIST') throw error;
          try {
            const other = JSON.parse(fs.readFileSync(marker, 'utf8'));
            const isThere = () => other.id !== null && idOf(fileOf(other.agent)) === other.id;
            const both = isThere() && id !== null && idOf(fileOf(request.agent)) === id;
            add(both && isThere() ? 'BOTH' : 'vanished with the folder');
          } catch (error) {
            if (error.code !== 'ENOENT') throw error;
          }
        }
        const { code, value } = await codeOf(() => claim.release());
        add(`release ${code ?? value}`);
      }
      await breathe();
    }
    return counts;
  },
  async removeFolder() {
    let times = 0;
    for (; !stopping; times++) {
      fs.rmSync(peer.directory, { recursive: true, force: true, maxRetries: 10 });
      if (times % 2 === 0) fs.mkdirSync(peer.directory, { recursive: true });
      // Now and then for long enough that a peer that tries again finds it.
      const pause = times % 4 === 0 ? 2 : 0;
      for (const until = performance.now() + pause; performance.now() < until; ) await breathe();
      await breathe();
    }
    return times;
  },
  async sweep() {
    let deleted = 0;
    while (!stopping) {
      // Some live for a while.
      for (const until = performance.now() + 5; performance.now() < until; ) await breathe();
      const args = [peer.directory, '-name', '*.lock', '-delete', '-printf', '.'];
      deleted += spawnSync('find', args).stdout.length;
    }
    return deleted;
  },
});
