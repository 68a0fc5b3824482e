import { describe, expect, vi } from 'vitest';
import { type Errno, SCENARIOS, type Scenario, THOROUGH } from '../support/faults-scenarios.js';
import { isNoClose, NotReached, outcomeOf, type Run, Stage } from '../support/faults-stage.js';
import type { Call } from '../support/faults-victim.js';
import { needs } from '../support/tools.js';

const LOOKS = THOROUGH ? Number.POSITIVE_INFINITY : 12;

// Hundreds of calls that fail in turn, each traced.
vi.setConfig({ testTimeout: THOROUGH ? 300_000 : 120_000 });

/** What of /proc cannot be read decides nothing: it is for messages. */
const LOOKED = {
  'acquireSync that is refused': ['ERR_LOCK_HELD'],
  'the first acquire of a process, waiting': ['lock'],
  // Without a sight of the descriptor's lock there is none to adopt.
  adopt: ['lock', 'ERR_LOCK_STATE'],
  // Nobody is robbed who was not seen.
  'InstanceLock.acquire that steals': ['lock', 'ERR_LOCK_HELD'],
} as const;

describe('what it asks /proc fails in turn:', () => {
  for (const [title, outcomes] of Object.entries(LOOKED)) {
    needs('strace')(title, { tags: title === 'adopt' ? [] : ['long'] }, async () => {
      const scenario = SCENARIOS[title] as Scenario;
      const stage = new Stage(scenario);
      const calm = await stage.run(null);
      const looks = calm.looks.filter(isNoClose);
      expect(looks.length).toBeGreaterThan(0);
      const every = Math.max(1, Math.ceil(looks.length / LOOKS));
      let reached = 0;
      for (const at of looks.keys()) {
        if (at % every > 0) continue;
        const errno = (['EIO', 'EMFILE', 'ENOMEM'] as const)[at % 3] as Errno;
        if (scenario.fresh === true) await stage.anew();
        // How much there is to read depends on what else runs on the machine.
        const find = ({ looks }: Run): Call | undefined => looks.filter(isNoClose)[at];
        const run = await stage.runWith(calm, errno, find).catch((error: unknown) => {
          if (!(error instanceof NotReached)) throw error;
          return null;
        });
        if (run === null) continue;
        reached++;
        const { answer, ended, free, files } = run;
        expect(outcomes).toContain(outcomeOf(answer));
        const locked = answer.held || (title === 'adopt' && answer.error !== undefined);
        expect(free).toBe(!locked);
        expect(ended).toMatchObject({ held: false, fd: -1, descriptors: 0 });
        expect(files).toEqual(calm.files);
      }
      expect(reached).toBeGreaterThan(looks.length / every / 2);
    });
  }
});
