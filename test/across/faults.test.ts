import { constants } from 'node:os';
import { describe, expect, vi } from 'vitest';
import {
  ALIASES,
  DISK,
  ERRNOS,
  type Errno,
  SCENARIOS,
  THOROUGH,
} from '../support/faults-scenarios.js';
import { outcomeOf, type Run, Stage } from '../support/faults-stage.js';
import { needs } from '../support/tools.js';

const FEW = THOROUGH ? Number.POSITIVE_INFINITY : 3;
const IDLE_THREADS = 4;

// Hundreds of calls that fail in turn, each traced.
vi.setConfig({ testTimeout: THOROUGH ? 300_000 : 120_000 });

/** What a fault may come to: `ok`, or what the documented error is about. */
function check(run: Run, calm: Run, errno: Errno, allowed: string[], path: string): void {
  const { error, value } = run.answer;
  // What `isCurrent` says of a file handle that the server does not know any more.
  if (errno === 'ESTALE' && value === false) return;
  if (error === undefined || outcomeOf(run.answer) === outcomeOf(calm.answer)) {
    expect(['ok', 'EINTR', 'ESTALE']).toContain(allowed.includes('ok') ? 'ok' : errno);
    expect(outcomeOf(run.answer)).toEqual(outcomeOf(calm.answer));
    return;
  }
  if (error.code.startsWith('ERR_LOCK')) {
    expect(error.path).toBe(path);
    if (error.code === 'ERR_LOCK_UNSUPPORTED') {
      expect(allowed.includes('flock') || allowed.includes('UNSUPPORTED')).toBe(true);
      expect([errno, 'ENOTSUP']).toContain(error.cause);
    } else if (error.code === 'ERR_LOCK_HELD') {
      expect(allowed).toContain('held');
    } else {
      expect([error.code, errno]).toEqual(['ERR_LOCK_LOST', 'ESTALE']);
    }
    return;
  }
  const code = errno === 'EOPNOTSUPP' ? 'ENOTSUP' : errno;
  expect(error).toMatchObject({ code, errno: -constants.errno[errno] });
  expect(allowed).toContain(error.syscall);
  // Of a folder that cannot be made, the folder's.
  expect(error.syscall === 'mkdir' ? path.startsWith(error.path ?? '-') : error.path === path).toBe(
    true,
  );
}

// The other scenarios fail the same calls, in other orders.
const SHORT = ['acquire of a free lock', 'tryAcquire that is refused', 'release'];

describe('each system call fails in turn:', () => {
  for (const [title, scenario] of Object.entries(SCENARIOS)) {
    const tags = SHORT.includes(title) ? [] : ['long'];
    needs('strace')(title, { tags }, async () => {
      const stage = new Stage(scenario);
      const calm = await stage.run(null);
      const expected = scenario.calls.split(' ').map((each) => {
        const [name = '', allowed = ''] = each.split(':');
        return { name, allowed: allowed.split('|') };
      });
      const names = calm.calls.map(({ name }) => ALIASES[name] ?? name);
      expect(names).toEqual(expected.map(({ name }) => name));
      expect(calm.ended).toMatchObject({ held: false, fd: -1, descriptors: 0 });
      const unexpected: unknown[] = [];
      let count = 0;
      for (const [at, call] of calm.calls.entries()) {
        const { name, allowed } = expected[at] as { name: string; allowed: string[] };
        const errnos = allowed[0] === '' ? [] : (ERRNOS[name] ?? []);
        for (const errno of errnos.slice(0, FEW)) {
          // Of strace's: a call that it lets fail is not made.
          const unclosed = name === 'close';
          if (scenario.fresh === true) await stage.anew();
          const run = await stage.runWith(calm, errno, ({ calls }) => calls[at]);
          count++;
          const where = `${call.name}#${call.nth} ${errno}`;
          try {
            const disk = DISK.includes(errno) ? 'ok' : 'write';
            const here = allowed.map((each) => (each === 'disk' ? disk : each));
            check(run, calm, errno, here, stage.path);
            const { answer, ended } = run;
            const failed = outcomeOf(answer) !== outcomeOf(calm.answer);
            const kept = scenario.keeps === true && name !== 'flock';
            const held = failed ? kept : calm.answer.held;
            expect({ held: answer.held, open: answer.fd >= 0 }).toEqual({ held, open: held });
            const locked = held || (failed && scenario.keepsDescriptor === true);
            if (!unclosed) expect(run.free).toBe(!locked);
            expect(ended.error).toBeUndefined();
            expect(ended).toMatchObject({ held: false, fd: -1, descriptors: unclosed ? 1 : 0 });
            // Some are idle, where the calm one ended by being cancelled; of
            // those that are lost there would be one more each time.
            expect(ended.threads).toBeLessThanOrEqual(calm.ended.threads + IDLE_THREADS);
            if (!unclosed) {
              // Nothing beside the lock file, and that in order.
              expect(run.files).toEqual(calm.files);
              expect(run.previous).not.toBe(-1);
              if (scenario.leaves !== true) expect([undefined, 1]).toContain(run.previous);
            }
          } catch (error) {
            unexpected.push({ where, answer: run.answer, why: (error as Error).message });
          }
          if (unclosed) await stage.anew();
        }
      }
      expect(unexpected).toEqual([]);
      expect(count).toBeGreaterThan(0);
    });
  }
});
