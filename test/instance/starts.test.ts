import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { InstanceLock } from '../../src/instance/instance-lock.js';
import { until } from '../support/census.js';
import { lockPath } from '../support/folder.js';
import { instanceProgram, told } from '../support/instance.js';
import type { End, Program } from '../support/program.js';
import { inTwoSizes } from '../support/sizes.js';

const TORTURE = (process.env['HOLDFAST_TORTURE'] ?? '') !== '';
const SECONDS = TORTURE ? 30 : 6;

inTwoSizes(
  (starts) => `of ${starts} starts at once exactly one runs, and the others name its pid`,
  { short: 5, long: 20 },
  async (starts) => {
    const path = lockPath();
    // Each is ready before any of them tries.
    const gate = `${path}.gate`;
    const programs = Array.from({ length: starts }, () =>
      instanceProgram(
        path,
        `say('ready');
      while (!fs.existsSync(args[0]));
      await hold().catch((error) => { tell(error); process.exit(1); });`,
        { args: [gate] },
      ),
    );
    await Promise.all(programs.map((each) => each.says('ready')));
    writeFileSync(gate, '');
    const refused: End[] = [];
    for (const each of programs) void each.exited.then((end) => refused.push(end));
    await until(() => refused.length >= starts - 1);
    const running = programs.filter(({ stdout }) => stdout.includes('held'));
    expect(running).toHaveLength(1);
    const [one] = running as [Program];
    expect(refused).toHaveLength(starts - 1);
    for (const end of refused) {
      expect(end.code).toBe(1);
      expect(told(end)).toMatchObject([
        { name: 'AlreadyRunningError', pid: one.pid, holder: { verified: true } },
      ]);
      expect(told(end)[0].message.split('\n')[0]).toBe(
        `another instance is already running (pid ${one.pid})`,
      );
    }
    await one.end();
    expect(existsSync(path)).toBe(false);
  },
);

// The process inside writes its pid into a log, at once and then each
// millisecond. It is killed or stopped between two writes at the most, and on
// a signal it writes no more once the lock is let go of. So two inside are seen
// as one that writes after another has come, whatever the lock says.
const GUARDED = `
const lock = await hold().catch((error) => { tell(error); process.exit(1); });
const log = fs.openSync(args[0], 'a');
const enter = () => fs.writeSync(log, process.pid + '\\n');
enter();
setInterval(enter, 1);
`;

interface Start {
  program: Program;
  began: number;
  ended: number;
}

const ENDINGS = ['SIGKILL', 'SIGTERM', 'SIGSTOP'] as const;

test(`for ${SECONDS} s of starts and kills at random there are never two inside, and after each death the next start succeeds`, {
  tags: ['long'],
}, async () => {
  const path = lockPath();
  const log = `${path}.log`;
  writeFileSync(log, '');
  const starts: Start[] = [];
  const begin = (): Start => {
    const program = instanceProgram(path, GUARDED, { args: [log] });
    const start: Start = { program, began: performance.now(), ended: Infinity };
    program.process.once('exit', () => {
      start.ended = performance.now();
    });
    starts.push(start);
    return start;
  };
  const isInside = ({ program, ended }: Start): boolean =>
    ended === Infinity && program.stdout.includes('held');
  const seen = { SIGKILL: 0, SIGTERM: 0, SIGSTOP: 0 };
  const end = performance.now() + SECONDS * 1000;
  let nextKill = performance.now() + 200;
  // Until each signal was sent: a slow machine starts few in that time.
  const isEnough = (): boolean => performance.now() > end && !Object.values(seen).includes(0);
  while (!isEnough()) {
    // No more at once than the machine can run.
    if (starts.filter(({ ended }) => ended === Infinity).length < 12) begin();
    const one = starts.find(isInside);
    if (one !== undefined && performance.now() > nextKill) {
      const signal = ENDINGS[Math.floor(Math.random() * ENDINGS.length)] ?? 'SIGKILL';
      seen[signal]++;
      one.program.process.kill(signal);
      if (signal === 'SIGSTOP') {
        const resume = (): void => void one.program.process.kill('SIGCONT');
        setTimeout(resume, Math.random() * 150);
      }
      nextKill = performance.now() + Math.random() * 250;
    }
    // The pace of the starts and kills.
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  // Until only the last holder runs, and the others have reported.
  const alive = (): Start[] => starts.filter(({ ended }) => ended === Infinity);
  await until(() => alive().every(isInside) && alive().length <= 1);
  const last = alive()[0] ?? begin();
  await last.program.says('held');
  await last.program.kill();
  await Promise.all(starts.map(({ program }) => program.exited));

  const order = readFileSync(log, 'utf8').trim().split('\n').map(Number);
  const entered = order.filter((pid, at) => pid !== order[at - 1]);
  expect(entered).toEqual([...new Set(entered)]);
  const held = starts.filter(({ program }) => program.stdout.includes('held'));
  expect(new Set(entered).size).toBeGreaterThan(ENDINGS.length - 1);
  const byPid = new Map(held.map((start) => [start.program.pid, start]));
  for (const { program, began, ended } of starts) {
    if (program.stdout.includes('held')) continue;
    const [error] = told(program);
    expect(error, program.stderr).toMatchObject({ name: 'AlreadyRunningError' });
    if (error.pid === null) {
      // Somebody let go while it looked.
      expect(held.some((each) => each.ended > began && each.ended < ended + 50)).toBe(true);
      continue;
    }
    // By one that ran: the dead cause no refusal.
    const by = byPid.get(error.pid);
    const known = starts.some((each) => each.program.pid === error.pid);
    expect(by, `${error.pid} was not inside; a start: ${known}`).toBeDefined();
    expect(by?.ended).toBeGreaterThan(began);
  }
  InstanceLock.acquireSync(path).releaseSync();
  expect(existsSync(path)).toBe(false);
});
