import { describe, expect, test } from 'vitest';
import { main } from '../../src/cli/main.js';
import { FileLock, inspect } from '../../src/index.js';
import { until } from '../support/census.js';
import { Screen, start } from '../support/command.js';
import { lockPath } from '../support/folder.js';
import { Peer } from '../support/peer.js';

/** `holdfast run` in this process, on a screen of that width; `undefined`: a pipe. */
function runOn(columns: number | undefined, ...argv: string[]) {
  const stderr = new Screen(columns);
  const ended = main(['run', ...argv], { stdout: new Screen(columns), stderr });
  return { stderr, ended };
}

async function held(): Promise<{ path: string; peer: Peer }> {
  const path = lockPath();
  const peer = await Peer.start();
  await peer.acquire('a', path);
  return { path, peer };
}

const waiting = (peer: Peer, path: string): Promise<void> =>
  until(async () => (await peer.inspect(path)).waiters.includes(process.pid));

describe('on a pipe: the first and the last line only', () => {
  test('of a wait that is granted', async () => {
    const { path, peer } = await held();
    const { stderr, ended } = runOn(undefined, path, 'true');
    await waiting(peer, path);
    await peer.release('a');
    expect(await ended).toBe(0);
    expect(stderr.lines).toEqual([
      expect.stringMatching(/^holdfast: waiting 0:00 for \S+, held by pid \d+ \(.*\), for \d+s$/),
      expect.stringMatching(/^holdfast: acquired \S+ after (\d+ ms|\d+(\.\d)?s)$/),
    ]);
    expect(stderr.text).toContain(`for ${path}, held by pid ${peer.pid} (`);
  });

  test('of one that gives up, which names the holder again', async () => {
    const { path, peer } = await held();
    const { stderr, ended } = runOn(undefined, '-w', '1.2', path, 'true');
    expect(await ended).toBe(75);
    expect(stderr.lines).toHaveLength(3);
    expect(stderr.lines[0]).toContain(`waiting 0:00 of 0:01.2 for ${path}`);
    expect(stderr.lines[1]).toContain(`${path} is held by pid ${peer.pid}`);
    expect(stderr.lines[2]).toContain('command not run');
  });

  test('a time below a second is shown as it is', async () => {
    const { path } = await held();
    const { stderr, ended } = runOn(undefined, '-w', '200ms', path, 'true');
    expect(await ended).toBe(75);
    expect(stderr.text).not.toMatch(/of 0:00|after 0s/);
  });

  test('nothing where nobody holds it', async () => {
    const { stderr, ended } = runOn(undefined, '-w', '5', lockPath(), 'true');
    expect(await ended).toBe(0);
    expect(stderr.text).toBe('');
  });
});

describe('on a terminal: one line, drawn anew', () => {
  const FRESH = '\r\x1b[K';
  const frames = (stderr: Screen): string[] => stderr.text.split(FRESH).slice(1);

  test('every second, and gone once the lock is there', async () => {
    const { path, peer } = await held();
    const { stderr, ended } = runOn(500, '-w', '30', path, 'true');
    await until(() => frames(stderr).length === 2);
    await peer.release('a');
    expect(await ended).toBe(0);
    const [first, second, last] = frames(stderr);
    // A busy machine draws the second one late.
    const line = (time: string): RegExp =>
      new RegExp(`^holdfast: waiting ${time} of 0:30 for ${path}, held by pid ${peer.pid} `);
    expect(first).toMatch(line('0:00'));
    expect(second).toMatch(line('0:0[1-9]'));
    expect(last).toBe('');
    expect(stderr.text).not.toContain('\n');
  });

  test('it counts those who wait ahead', async () => {
    const { path, peer } = await held();
    const other = await Peer.start();
    await other.waitFor('b', path);
    await until(async () => (await inspect(path)).waiters.length === 1);
    const { stderr, ended } = runOn(500, path, 'true');
    await until(() => frames(stderr).length === 2);
    expect(frames(stderr)[1]).toMatch(/, 1 ahead$/);
    await other.kill();
    await peer.release('a');
    expect(await ended).toBe(0);
  });

  test('it is cut to the width', async () => {
    const { path } = await held();
    const { stderr, ended } = runOn(40, '-w', '0.2', path, 'true');
    expect(await ended).toBe(75);
    const [first = ''] = frames(stderr);
    expect(first).toHaveLength(39);
    expect(first).toMatch(/^holdfast: waiting .*…$/);
  });

  test.each([0, 1, 2, 3, 65_535, Number.NaN, -7])('a width of %d', async (columns) => {
    const { path } = await held();
    const { stderr, ended } = runOn(columns, '-w', '0.1', path, 'true');
    expect(await ended).toBe(75);
    const [first = ''] = frames(stderr);
    expect(first.length).toBeGreaterThan(0);
    if (columns > 0) expect(first.length).toBeLessThanOrEqual(columns);
  });

  test('in the background it is said once, and drawn when it is in the foreground', async () => {
    const { path, peer } = await held();
    const stderr = new Screen(500);
    let foreground = false;
    let looks = 0;
    const inForeground = (): boolean => {
      looks++;
      return foreground;
    };
    const ended = main(['run', path, 'true'], { stdout: new Screen(500), stderr, inForeground });
    await until(() => looks >= 3);
    expect(stderr.text).toMatch(/^holdfast: waiting 0:00 for [^\n]*\n$/);
    foreground = true;
    await until(() => frames(stderr).length === 1);
    foreground = false;
    const before = stderr.text;
    const seen = looks;
    await until(() => looks > seen);
    await peer.release('a');
    expect(await ended).toBe(0);
    // The shell has written after the line.
    expect(stderr.text).toBe(before);
  });

  test('a refusal follows on its own lines', async () => {
    const { path } = await held();
    const { stderr, ended } = runOn(500, '-w', '0.2', path, 'true');
    expect(await ended).toBe(75);
    expect(frames(stderr).at(-1)).toMatch(/^holdfast: gave up .*\nholdfast: command not run.*\n$/);
  });

  test('its timer does not outlive it, nor does a missing holder end it', async () => {
    const path = lockPath();
    using lock = FileLock.acquireSync(path, { record: false });
    const { stderr, ended } = runOn(500, path, 'true');
    await until(() => frames(stderr).length === 1);
    lock.releaseSync();
    expect(await ended).toBe(0);
    const { text } = stderr;
    // Shows that nothing happens: longer than the second between two frames.
    await new Promise((resolve) => setTimeout(resolve, 1100));
    expect(stderr.text).toBe(text);
  });
});

describe('the promise of the README', () => {
  test('run -F: the pid that a refusal names is the one to kill', async () => {
    const path = lockPath('x.lock');
    const first = start(['run', '-F', '-n', path, 'sleep', '60']);
    await until(async () => (await inspect(path)).holders[0]?.command === 'sleep 60');
    const refused = await start(['run', '-n', path, 'true']).end();
    expect(refused.code).toBe(75);
    const named = Number(/ is held by pid (\d+) \(sleep 60\)/.exec(refused.stderr)?.[1]);
    expect(named).toBe(first.pid);
    process.kill(named, 'SIGKILL');
    expect(await first.exited).toMatchObject({ code: null, signal: 'SIGKILL' });
    const third = await start(['run', '-n', path, 'echo', 'got']).end();
    expect(third).toMatchObject({ code: 0, stdout: 'got\n', stderr: '' });
  });

  test('without -F it names the command, which holds on when holdfast is killed', async () => {
    const path = lockPath('x.lock');
    const first = start(['run', '-n', path, 'sleep', '60']);
    await until(async () => (await inspect(path)).holders[0]?.command === 'sleep 60');
    await first.kill('SIGKILL');
    const refused = await start(['run', '-n', path, 'true']).end();
    expect(refused.code).toBe(75);
    const named = Number(/ is held by pid (\d+) \(sleep 60\)/.exec(refused.stderr)?.[1]);
    expect(named).not.toBe(first.pid);
    process.kill(named, 'SIGKILL');
    const third = await start(['run', '-w', '10', path, 'echo', 'got']).end();
    expect(third).toMatchObject({ code: 0, stdout: 'got\n' });
  });
});
