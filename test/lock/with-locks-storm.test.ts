import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { withLocks } from '../../src/index.js';
import { testFolder } from '../support/folder.js';
import { Program } from '../support/program.js';
import { inTwoSizes } from '../support/sizes.js';

const MEMBER = fileURLToPath(new URL('../support/several-member.mjs', import.meta.url));
const NAMES = ['a', 'b', 'c', 'd', 'e'];
const PROCESSES = 5;

const turnsOf = ({ stdout }: Program): number => stdout.split('turn\n').length - 1;

inTwoSizes(
  ({ turns, kills }) =>
    `${PROCESSES} processes, ${NAMES.length} locks in any order, ${kills} SIGKILLs: ${turns} turns each, and no two hold one`,
  { short: { turns: 20, kills: 2 }, long: { turns: 150, kills: 40 } },
  async ({ turns, kills }) => {
    const folder = testFolder();
    symlinkSync('.', join(folder, 'link'));
    let left = kills;
    /** Takes its turns in one process after the other. */
    const member = async (): Promise<number> => {
      for (;;) {
        const program = Program.start(process.execPath, [MEMBER, folder, ...NAMES]);
        const isKilled = left-- > 0;
        await program.says('turn\n'.repeat(isKilled ? 1 : turns));
        const { code, stderr } = await program.kill();
        // `null`: by the signal, wherever it was at that moment.
        expect({ code, stderr }).toEqual({ code: null, stderr: '' });
        if (!isKilled) return turnsOf(program);
      }
    };
    for (const taken of await Promise.all(Array.from({ length: PROCESSES }, member))) {
      expect(taken).toBeGreaterThanOrEqual(turns);
    }
    const paths = NAMES.map((name) => join(folder, name));
    expect(await withLocks(paths, { timeout: 0 }, (locks) => locks.length)).toBe(NAMES.length);
  },
);
