import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Election, type ElectionOptions } from '../../src/election.js';
import { FileLock } from '../../src/index.js';
import { descriptorsTo, until } from '../support/census.js';
import { testFolder } from '../support/folder.js';
import { errorOf } from '../support/refused.js';
import { within } from '../support/remote.js';
import { runScript } from '../support/script.js';
import { expectWarning } from '../support/setup.js';
import { needs } from '../support/tools.js';

expectWarning('HOLDFAST_ELECTION');

const ELECTION = new URL('../../dist/election.js', import.meta.url).href;

/** Joins, and leaves when the test has ended. */
async function member<T extends object>(
  directory: string,
  options?: ElectionOptions<T>,
): Promise<Election<T>> {
  const election = await Election.join(directory, options);
  onTestFinished(() => election.leave().catch(() => {}));
  return election;
}

const soon = <T>(promise: Promise<T>): Promise<T> =>
  within(promise, () => 'not within ten seconds', 10_000);

/** Which of some have happened, without a wait. */
async function settled(promise: Promise<unknown>): Promise<boolean> {
  let done = false;
  promise.then(
    () => {
      done = true;
    },
    () => {
      done = true;
    },
  );
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
  return done;
}

describe('joining', () => {
  test('makes the folder and a file of its own, with pid and data, and becomes primary', async () => {
    const directory = join(testFolder(), 'a', 'b');
    const election = await member(directory, { id: 'one', data: { port: 80 } });
    await soon(election.whenPrimary());
    expect(election).toMatchObject({ id: 'one', isPrimary: true });
    expect(readdirSync(directory).sort()).toEqual(['.primary', 'one.lock']);
    const record = JSON.parse(readFileSync(join(directory, 'one.lock'), 'utf8'));
    expect(record).toMatchObject({ pid: process.pid, port: 80 });
    expect(await election.members()).toEqual([
      {
        id: 'one',
        pid: process.pid,
        since: expect.any(Date),
        self: true,
        primary: true,
        data: { port: 80 },
      },
    ]);
  });

  test('takes a file URL', async () => {
    const directory = testFolder();
    const election = await Election.join(pathToFileURL(directory), { id: 'one' });
    expect(existsSync(join(directory, 'one.lock'))).toBe(true);
    await election.leave();
  });

  test('by default later ones have larger ids', async () => {
    const directory = testFolder();
    const first = await member(directory);
    const start = Date.now();
    await until(() => Date.now() > start);
    const second = await member(directory);
    expect(second.id > first.id).toBe(true);
    expect((await second.members()).map(({ id }) => id)).toEqual([first.id, second.id]);
  });

  test('nobody is primary before join has resolved, and a listener added then hears of it', async () => {
    const directory = testFolder();
    const election = await member(directory);
    expect(election).toMatchObject({ isPrimary: false, term: 0 });
    expect(await election.primary()).toBeNull();
    const [term] = await soon(once(election, 'primary'));
    expect(term).toBe(election.term);
    expect(election.isPrimary).toBe(true);
  });

  test('an id that lives is held, and the error names its pid', async () => {
    const directory = testFolder();
    await member(directory, { id: 'one' });
    const error = await errorOf(() => Election.join(directory, { id: 'one' }));
    expect(error).toMatchObject({ code: 'ERR_LOCK_HELD', holder: { pid: process.pid } });
    expect(await member(directory, { id: 'two' })).toMatchObject({ id: 'two' });
  });

  test('an id that has left is free at once', async () => {
    const directory = testFolder();
    for (let round = 0; round < 20; round++) {
      const election = await Election.join(directory, { id: 'one' });
      await soon(election.whenPrimary());
      await election.leave();
    }
    expect(readdirSync(directory)).toEqual(['.primary']);
  });

  test('of several in one process one is primary, and they follow each other', async () => {
    const directory = testFolder();
    const all = await Promise.all(
      ['a', 'b', 'c', 'd'].map((id) => member(directory, { id, settle: 50 })),
    );
    const terms: number[] = [];
    const left = new Set(all);
    while (left.size > 0) {
      const primary = await soon(
        Promise.race([...left].map(async (each) => each.whenPrimary().then(() => each))),
      );
      expect(all.filter(({ isPrimary }) => isPrimary)).toEqual([primary]);
      const asked = await Promise.all([...left].map((each) => each.primary()));
      expect(asked.map((each) => each?.id)).toEqual([...left].map(() => primary.id));
      terms.push(primary.term);
      left.delete(primary);
      // Their losing race of `whenPrimary` is not to be heard of.
      await primary.leave();
      expect(primary.isPrimary).toBe(false);
    }
    expect(terms).toEqual([...terms].sort((one, other) => one - other));
    expect(new Set(terms).size).toBe(4);
  });
});

describe('leaving', () => {
  test('removes the file, closes everything, and a second time does nothing', async () => {
    const directory = testFolder();
    const election = await Election.join(directory);
    await soon(election.whenPrimary());
    const { term } = election;
    await Promise.all([election.leave(), election.leave()]);
    await election[Symbol.asyncDispose]();
    expect(readdirSync(directory)).toEqual(['.primary']);
    expect(descriptorsTo(directory)).toBe(0);
    expect(election).toMatchObject({ isPrimary: false, term });
    await expect(election.whenPrimary()).rejects.toMatchObject({ code: 'ERR_LOCK_STATE' });
    await expect(election.lead(async () => 1)).rejects.toMatchObject({ code: 'ERR_LOCK_STATE' });
  });

  test('at once after joining is not followed by a primacy', async () => {
    const directory = testFolder();
    for (const settle of [0, 30]) {
      const election = await Election.join(directory, { settle });
      let primaries = 0;
      election.on('primary', () => primaries++);
      await election.leave();
      const next = await member(directory);
      await soon(next.whenPrimary());
      expect({ primaries, term: election.term }).toEqual({ primaries: 0, term: 0 });
      await next.leave();
    }
    await until(() => descriptorsTo(directory) === 0);
  });

  test('gives up the place in the queue', async () => {
    const directory = testFolder();
    const first = await member(directory, { id: 'a' });
    await soon(first.whenPrimary());
    const second = await member(directory, { id: 'b' });
    const third = await member(directory, { id: 'c' });
    const waited = errorOf(() => second.whenPrimary());
    await second.leave();
    expect(await soon(waited)).toMatchObject({ code: 'ERR_LOCK_STATE' });
    await first.leave();
    await soon(third.whenPrimary());
    expect(second.term).toBe(0);
  });

  test('isPrimary is false and standby emitted before the seat is let go of', async () => {
    const directory = testFolder();
    const election = await member(directory);
    await soon(election.whenPrimary());
    const seen: unknown[] = [];
    election.on('standby', () => {
      const lock = FileLock.tryAcquire(join(directory, '.primary'));
      seen.push(election.isPrimary, lock);
      lock?.releaseSync();
    });
    await election.leave();
    expect(seen).toEqual([false, null]);
  });

  test('a standby that leaves says nothing of standby', async () => {
    const directory = testFolder();
    await soon((await member(directory)).whenPrimary());
    const election = await member(directory);
    let times = 0;
    election.on('standby', () => times++);
    await election.leave();
    expect(times).toBe(0);
  });

  test('by `await using`', async () => {
    const directory = testFolder();
    {
      await using election = await Election.join(directory);
      await soon(election.whenPrimary());
    }
    expect(readdirSync(directory)).toEqual(['.primary']);
  });

  test('a listener of standby that throws rejects it, and everything is let go of', async () => {
    const directory = testFolder();
    const election = await Election.join(directory);
    await soon(election.whenPrimary());
    election.on('standby', () => {
      throw new Error('thrown by the listener');
    });
    await expect(election.leave()).rejects.toThrow('thrown by the listener');
    expect(descriptorsTo(directory)).toBe(0);
    expect(readdirSync(directory)).toEqual(['.primary']);
  });
});

describe('signals', () => {
  test('of join: aborted before, it rejects with the reason and leaves nothing', async () => {
    const directory = join(testFolder(), 'folder');
    const reason = new Error('before');
    const signal = AbortSignal.abort(reason);
    expect(await errorOf(() => Election.join(directory, { signal }))).toBe(reason);
    expect(existsSync(directory) ? readdirSync(directory) : []).toEqual([]);
  });

  test('of join: aborted later, the member leaves', async () => {
    const directory = testFolder();
    const controller = new AbortController();
    const election = await member(directory, { signal: controller.signal });
    await soon(election.whenPrimary());
    const standby = once(election, 'standby');
    controller.abort();
    await soon(standby);
    await soon(election.leave());
    expect(readdirSync(directory)).toEqual(['.primary']);
  });

  test('of join: aborted at any moment of it, nobody stays a member', async () => {
    const directory = testFolder();
    const outcomes = { joined: 0, rejected: 0 };
    for (let turns = 0; turns < 40; turns++) {
      const controller = new AbortController();
      const joining = Election.join(directory, { id: `at-${turns}`, signal: controller.signal });
      joining.catch(() => {});
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      controller.abort();
      const joined = await joining.catch(() => null);
      outcomes[joined === null ? 'rejected' : 'joined']++;
      if (joined !== null) onTestFinished(() => joined.leave());
      const gone = (): boolean => !existsSync(join(directory, `at-${turns}.lock`));
      for (let turn = 0; turn < 20 && !gone(); turn++) await new Promise(setImmediate);
      expect({ turns, gone: gone() }).toEqual({ turns, gone: true });
    }
    expect(Math.min(...Object.values(outcomes))).toBeGreaterThan(0);
  });

  test('of join: a listener of standby that throws then is a warning or an error event, no unhandled rejection', async () => {
    const source = `
      const { Election } = await import(${JSON.stringify(ELECTION)});
      const controller = new AbortController();
      const election = await Election.join(path, { signal: controller.signal });
      election.on('error', (error) => report({ error: error.message }));
      process.on('unhandledRejection', () => report('unhandled'));
      await election.whenPrimary();
      election.on('standby', () => { throw new Error('thrown by the listener'); });
      controller.abort();
      await new Promise(setImmediate);
      report('end');
    `;
    const { reports } = await runScript(testFolder(), source);
    expect(reports).toContain('end');
    expect(reports).not.toContain('unhandled');
  });

  test('of whenPrimary and of lead end the wait alone', async () => {
    const directory = testFolder();
    const first = await member(directory);
    await soon(first.whenPrimary());
    const second = await member(directory);
    const controller = new AbortController();
    const { signal } = controller;
    const reason = new Error('waited enough');
    const waits = [second.whenPrimary({ signal }), second.lead(async () => 1, { signal })];
    controller.abort(reason);
    for (const wait of waits) expect(await errorOf(() => wait)).toBe(reason);
    expect(await errorOf(() => first.whenPrimary({ signal }))).toBe(reason);
    await first.leave();
    await soon(second.whenPrimary());
  });
});

describe('lead', () => {
  test('runs once primary, gives its result, and stays primary after it', async () => {
    const directory = testFolder();
    const election = await member(directory);
    const result = await soon(
      election.lead(async ({ term, signal, fd }) => ({ term, aborted: signal.aborted, fd })),
    );
    expect(result).toEqual({ term: election.term, aborted: false, fd: expect.any(Number) });
    expect(lstatSync(`/proc/self/fd/${result.fd}`).isSymbolicLink()).toBe(true);
    expect(election.isPrimary).toBe(true);
    await expect(election.lead(() => Promise.reject(new Error('of the work')))).rejects.toThrow(
      'of the work',
    );
    expect(election.isPrimary).toBe(true);
  });

  test('leave aborts its signal and waits for the work before the seat is free', async () => {
    const directory = testFolder();
    const election = await member(directory, { id: 'a' });
    let finish = (): void => {};
    const started = new Promise<AbortSignal>((resolve) => {
      election
        .lead(({ signal }) => {
          resolve(signal);
          return new Promise<void>((end) => {
            finish = end;
          });
        })
        .catch(() => {});
    });
    const signal = await soon(started);
    const leaving = election.leave();
    expect(signal.aborted).toBe(true);
    expect(signal.reason).toMatchObject({ code: 'ERR_LOCK_STATE' });
    const next = await member(directory, { id: 'b' });
    expect(await settled(leaving)).toBe(false);
    expect(next.isPrimary).toBe(false);
    expect(FileLock.tryAcquire(join(directory, '.primary'))).toBeNull();
    finish();
    await soon(leaving);
    await soon(next.whenPrimary());
  });

  test('leave inside of the work does not wait for it', async () => {
    const directory = testFolder();
    const election = await member(directory);
    const result = election.lead(async ({ signal }) => {
      await election.leave();
      return signal.aborted;
    });
    expect(await soon(result)).toBe(true);
    expect(readdirSync(directory)).toEqual(['.primary']);
  });

  test('leave inside of the work, when somebody outside has called it already, ends as well', async () => {
    const directory = testFolder();
    const election = await Election.join(directory);
    const work = election.lead(async ({ signal }) => {
      await once(signal, 'abort');
      await election.leave();
      return 'cleaned up';
    });
    await soon(election.whenPrimary());
    await new Promise(setImmediate);
    const leaving = election.leave();
    const outcome = Promise.all([work, leaving]).then(([first]) => first);
    expect(await within(outcome, () => 'work and leave wait for each other', 2000)).toBe(
      'cleaned up',
    );
  });

  test('leave of the outer election inside of an inner one’s work ends as well', async () => {
    const [one, other] = [testFolder(), testFolder()];
    const outer = await Election.join(one);
    const inner = await Election.join(other);
    const work = outer.lead(() => inner.lead(() => outer.leave()));
    await within(work, () => 'the outer work waits for itself', 2000);
    await inner.leave();
  });

  test('what throws at once, or is no function, rejects', async () => {
    const election = await member(testFolder());
    const thrown = election.lead(() => {
      throw new Error('at once');
    });
    await expect(thrown).rejects.toThrow('at once');
    const wrong = election.lead('work' as unknown as () => Promise<void>);
    await expect(wrong).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' });
  });
});

describe('events', () => {
  test('members tells who came and went while it has a listener', async () => {
    const directory = testFolder();
    const election = await member(directory, { id: 'a' });
    await soon(election.whenPrimary());
    const come = once(election, 'members');
    const other = await Election.join(directory, { id: 'b' });
    const [came] = await soon(come);
    expect(came).toMatchObject([
      { id: 'a', primary: true },
      { id: 'b', primary: false },
    ]);
    const gone = once(election, 'members');
    await other.leave();
    expect((await soon(gone))[0]).toMatchObject([{ id: 'a' }]);
    let times = 0;
    const count = (): void => {
      times++;
    };
    election.on('members', count);
    election.off('members', count);
    await using _third = await Election.join(directory, { id: 'c' });
    await until(async () => (await election.members()).length === 2);
    expect(times).toBe(0);
  });

  const ways: [string, (directory: string) => void][] = [
    ['.primary is removed', (directory) => rmSync(join(directory, '.primary'))],
    [
      '.primary is replaced',
      (directory) => {
        writeFileSync(join(directory, '.new'), '');
        renameSync(join(directory, '.new'), join(directory, '.primary'));
      },
    ],
    ['the folder is removed', (directory) => rmSync(directory, { recursive: true })],
    [
      'the folder is replaced',
      (directory) => {
        renameSync(directory, `${directory}-old`);
        mkdirSync(directory);
      },
    ],
  ];
  test.each(ways)(
    'when %s: standby and error within a second, then one primary',
    async (_, act) => {
      const directory = join(testFolder(), 'folder');
      const first = await member(directory, { id: 'a' });
      await soon(first.whenPrimary());
      const second = await member(directory, { id: 'b' });
      const { term } = first;
      const aborted = first.lead(
        ({ signal }) =>
          new Promise((resolve) => signal.addEventListener('abort', () => resolve(signal.reason))),
      );
      await new Promise(setImmediate);
      const events: unknown[] = [];
      first.on('standby', () => events.push(['standby', first.isPrimary]));
      const failed = new Promise<Error>((resolve) => first.once('error', resolve));
      const start = performance.now();
      act(directory);
      const error = await soon(failed);
      expect(performance.now() - start).toBeLessThan(1500);
      expect(error).toMatchObject({ code: 'ERR_LOCK_LOST' });
      expect(events).toEqual([['standby', false]]);
      expect(await soon(aborted)).toMatchObject({ code: 'ERR_LOCK_LOST' });
      const both = [first, second];
      await until(() => both.filter(({ isPrimary }) => isPrimary).length === 1);
      const primary = both.find(({ isPrimary }) => isPrimary) as Election;
      expect(primary.term).toBeGreaterThan(term);
      // All are there again, with their files, and one of them is named.
      await until(async () => (await first.members()).length === 2);
      expect((await second.primary())?.id).toBe(primary.id);
      await until(() => primary.isPrimary);
      await primary.leave();
      const other = both.find((each) => each !== primary) as Election;
      await soon(other.whenPrimary());
    },
  );

  test('without a listener an error is a process warning', async () => {
    const directory = testFolder();
    const election = await member(directory);
    await soon(election.whenPrimary());
    const warned = warningWith('HOLDFAST_ELECTION');
    rmSync(join(directory, '.primary'));
    const warning = await soon(warned);
    expect(warning).toMatchObject({ code: 'HOLDFAST_ELECTION', name: 'HoldfastWarning' });
    await soon(election.whenPrimary());
  });

  test('a member’s file that is removed comes back, without a change of the primary', async () => {
    const directory = testFolder();
    const election = await member(directory, { id: 'a', data: { port: 80 } });
    await soon(election.whenPrimary());
    let standbys = 0;
    election.on('standby', () => standbys++);
    rmSync(join(directory, 'a.lock'));
    await until(() => existsSync(join(directory, 'a.lock')));
    await until(async () => (await election.members()).length === 1);
    expect(await election.members()).toMatchObject([
      { id: 'a', primary: true, data: { port: 80 }, pid: process.pid },
    ]);
    expect({ standbys, isPrimary: election.isPrimary }).toEqual({ standbys: 0, isPrimary: true });
    await election.leave();
    expect(readdirSync(directory)).toEqual(['.primary']);
  });

  test('an id that somebody else took meanwhile: error, and the old one leaves', async () => {
    const directory = testFolder();
    const election = await member(directory, { id: 'a' });
    await soon(election.whenPrimary());
    const failed = new Promise<Error>((resolve) => election.once('error', resolve));
    const standby = new Promise<void>((resolve) => election.once('standby', resolve));
    rmSync(join(directory, 'a.lock'));
    const other = await member(directory, { id: 'a' });
    expect(await soon(failed)).toMatchObject({ code: 'ERR_LOCK_HELD' });
    await soon(standby);
    await soon(other.whenPrimary());
    expect(existsSync(join(directory, 'a.lock'))).toBe(true);
  });
});

describe('bad input', () => {
  const ids: [unknown, string][] = [
    ['', 'ERR_INVALID_ARG_VALUE'],
    ['a/b', 'ERR_INVALID_ARG_VALUE'],
    ['../a', 'ERR_INVALID_ARG_VALUE'],
    ['a\0b', 'ERR_INVALID_ARG_VALUE'],
    ['.', 'ERR_INVALID_ARG_VALUE'],
    ['..', 'ERR_INVALID_ARG_VALUE'],
    ['.primary', 'ERR_INVALID_ARG_VALUE'],
    ['x'.repeat(251), 'ERR_INVALID_ARG_VALUE'],
    ['x'.repeat(300), 'ERR_INVALID_ARG_VALUE'],
    ['é'.repeat(126), 'ERR_INVALID_ARG_VALUE'],
    ['\ud800', 'ERR_INVALID_ARG_VALUE'],
    [null, 'ERR_INVALID_ARG_TYPE'],
    [7, 'ERR_INVALID_ARG_TYPE'],
    [Symbol('id'), 'ERR_INVALID_ARG_TYPE'],
    [['a'], 'ERR_INVALID_ARG_TYPE'],
  ];
  const settles: [unknown, string][] = [
    [Number.NaN, 'ERR_OUT_OF_RANGE'],
    [-1, 'ERR_OUT_OF_RANGE'],
    [Number.POSITIVE_INFINITY, 'ERR_OUT_OF_RANGE'],
    [1e12, 'ERR_OUT_OF_RANGE'],
    ['150', 'ERR_INVALID_ARG_TYPE'],
    [null, 'ERR_INVALID_ARG_TYPE'],
  ];
  const circular: Record<string, unknown> = {};
  circular['self'] = circular;
  const data: [unknown, string][] = [
    [circular, 'ERR_INVALID_ARG_VALUE'],
    [{ big: 1n }, 'ERR_INVALID_ARG_VALUE'],
    [{ call() {} }, 'ERR_INVALID_ARG_VALUE'],
    [{ text: 'x'.repeat(1_000_000) }, 'ERR_OUT_OF_RANGE'],
    [{ pid: 1 }, 'ERR_INVALID_ARG_VALUE'],
    ['text', 'ERR_INVALID_ARG_TYPE'],
    [[1], 'ERR_INVALID_ARG_TYPE'],
    [null, 'ERR_INVALID_ARG_TYPE'],
  ];
  const options: [unknown, string][] = [
    ...ids.map(([id, code]): [unknown, string] => [{ id }, code]),
    ...settles.map(([settle, code]): [unknown, string] => [{ settle }, code]),
    ...data.map(([each, code]): [unknown, string] => [{ data: each }, code]),
    [{ signal: {} }, 'ERR_INVALID_ARG_TYPE'],
    ['options', 'ERR_INVALID_ARG_TYPE'],
    [null, 'ERR_INVALID_ARG_TYPE'],
  ];

  test.each(options.map(([each, code], at) => ({ at, each, code })))(
    'options $at are refused with $code, and nothing is left on disk',
    async ({ each, code }) => {
      const root = testFolder();
      const directory = join(root, 'folder');
      const error = await errorOf(() => Election.join(directory, each as ElectionOptions));
      expect(error).toMatchObject({ code });
      expect(error).toBeInstanceOf(code === 'ERR_OUT_OF_RANGE' ? RangeError : TypeError);
      expect(readdirSync(root)).toEqual([]);
    },
  );

  test.each([undefined, null, 7, '', 'a\0b', {}, 'https://example.org/'].map((each) => [each]))(
    'a folder %j is refused',
    async (directory) => {
      const given = directory === 'https://example.org/' ? new URL(directory) : directory;
      const error = await errorOf(() => Election.join(given as string));
      expect(error).toMatchObject({ code: expect.stringMatching(/^ERR_INVALID_/) });
    },
  );

  test('a folder that is a file, or below one, is an error of the system', async () => {
    const file = join(testFolder(), 'file');
    writeFileSync(file, 'mine');
    for (const path of [file, join(file, 'folder')]) {
      const error = await errorOf(() => Election.join(path));
      expect(error).toMatchObject({ code: expect.stringMatching(/^(ENOTDIR|EEXIST)$/) });
    }
    expect(readFileSync(file, 'utf8')).toBe('mine');
  });

  test('ids of 250 bytes, with spaces, dots, newlines and in any script are good', async () => {
    const directory = testFolder();
    const good = [
      'x'.repeat(250),
      'é'.repeat(125),
      'a b',
      'a.b',
      'a\nb',
      '日本',
      '-x',
      'a\\b',
      '~',
    ];
    const all = await Promise.all(good.map((id) => member(directory, { id })));
    const listed = (await all[0]?.members())?.map(({ id }) => id);
    expect(listed).toEqual([...good].sort());
  });

  test('undefined options are those that are missing', async () => {
    const nothing = { id: undefined, settle: undefined, data: undefined, signal: undefined };
    const election = await member(testFolder(), nothing);
    await soon(election.whenPrimary({ signal: undefined }));
    for (const wrong of [null, 'x', { signal: 7 }]) {
      await expect(election.whenPrimary(wrong as object)).rejects.toMatchObject({
        code: 'ERR_INVALID_ARG_TYPE',
      });
    }
  });

  needs('root')(
    'a folder without permission is an error of the system, in another user',
    async () => {
      const root = testFolder();
      const directory = join(root, 'folder');
      execFileSync('chmod', ['755', root]);
      for (const mode of [0o755, 0o700]) {
        mkdirSync(directory, { mode });
        const source = `
        const { Election } = await import(${JSON.stringify(ELECTION)});
        process.setgid(65534);
        process.setuid(65534);
        report(await outcome(() => Election.join(path, { id: 'a' })));
        report(await outcome(() => Election.join(path + '/below', { id: 'a' })));
      `;
        const { reports, code, stderr } = await runScript(directory, source);
        expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
        for (const each of reports) expect(each).toMatchObject({ code: 'EACCES' });
        expect(reports).toHaveLength(2);
        expect(readdirSync(directory)).toEqual([]);
        rmSync(directory, { recursive: true });
      }
    },
  );
});

describe('the process', () => {
  test('can end while it is primary, and not while it stands by', async () => {
    const directory = testFolder();
    const source = `
      const { Election } = await import(${JSON.stringify(ELECTION)});
      const election = await Election.join(path);
      election.on('members', () => {});
      election.on('primary', () => report('primary'));
    `;
    expect(await runScript(directory, source)).toMatchObject({ reports: ['primary'], code: 0 });
    const blocker = await member(directory);
    await soon(blocker.whenPrimary());
    expect(readdirSync(directory)).toHaveLength(2);
    const standing = runScript(directory, `${source}; report('stands by');`);
    await until(async () => (await blocker.members()).length === 2);
    expect(await settled(standing)).toBe(false);
    await blocker.leave();
    const { reports, code } = await soon(standing);
    expect({ reports, code }).toEqual({ reports: ['stands by', 'primary'], code: 0 });
  });

  test('a listener of primary that throws ends it as an uncaught exception does', async () => {
    const source = `
      const { Election } = await import(${JSON.stringify(ELECTION)});
      const election = await Election.join(path);
      election.on('primary', () => { throw new Error('thrown by the listener'); });
    `;
    const { code, stderr } = await runScript(testFolder(), source);
    expect(code).toBe(1);
    expect(stderr).toContain('thrown by the listener');
  });
});

/** That of another test may be on its way yet. */
async function warningWith(code: string): Promise<NodeJS.ErrnoException> {
  for (;;) {
    const [warning] = (await once(process, 'warning')) as [NodeJS.ErrnoException];
    if (warning.code === code) return warning;
  }
}
