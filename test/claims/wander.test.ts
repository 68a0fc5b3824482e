import { readdirSync } from 'node:fs';
import { expect, vi } from 'vitest';
import { type ClaimRequest, Claims } from '../../src/claims.js';
import { ClaimsPeer, places } from '../support/claims-peer.js';
import { inTwoSizes } from '../support/sizes.js';

// So long it takes beside other tests.
vi.setConfig({ testTimeout: 300_000 });

type Scope = Pick<ClaimRequest, 'files' | 'directories' | 'except'>;

// What a scope covers of `src/{a,b,c}/{a,b,c}.ts` is said beside it in plain
// code: the judge knows nothing of the library's patterns.
const TREE = ['a', 'b', 'c'].flatMap((folder) =>
  ['a', 'b', 'c'].map((name) => ({ folder, name, path: `src/${folder}/${name}.ts` })),
);
type Node = (typeof TREE)[number];

const SCOPES: [Scope, (node: Node) => boolean][] = [
  [{ files: ['src/*/a.ts'] }, ({ name }) => name === 'a'],
  [{ directories: ['src/b/'], except: ['src/b/a.ts'] }, (n) => n.folder === 'b' && n.name !== 'a'],
  [{ files: ['src/b/a.ts'] }, ({ path }) => path === 'src/b/a.ts'],
  [{ files: ['**/c.ts'], except: ['src/a/'] }, (n) => n.name === 'c' && n.folder !== 'a'],
  [{ files: ['src/a/c.ts', 'src/c/c.ts'] }, (n) => n.name === 'c' && n.folder !== 'b'],
  [{ files: ['src/c/?.ts'] }, ({ folder }) => folder === 'c'],
  [
    { directories: ['src/'], except: ['src/*/b.ts', 'src/c/'] },
    (n) => n.name !== 'b' && n.folder !== 'c',
  ],
  [{ files: ['src/a/b.ts'] }, ({ path }) => path === 'src/a/b.ts'],
];

const WANDERED = SCOPES.map(([scope, covers]) => ({
  scope,
  paths: TREE.filter(covers).map(({ path }) => path),
}));

inTwoSizes(
  ({ processes, rounds, deaths }) =>
    `${processes} processes extend and shrink, ${rounds} rounds each, and ${deaths} of them die: never do two have one path`,
  {
    short: { processes: 4, rounds: 40, deaths: 3 },
    long: { processes: 16, rounds: 200, deaths: 40 },
  },
  async ({ processes, rounds, deaths }) => {
    const { root, locks, markers } = places();
    const all: Record<string, number> = {};
    let left = deaths;
    let killing = 0;
    const life = async (at: number): Promise<void> => {
      for (;;) {
        const peer = await ClaimsPeer.start(locks, root);
        const dies = left-- > 0;
        const done = peer.call<Record<string, number>>(
          'wander',
          `agent-${at}`,
          WANDERED,
          markers,
          dies ? Number.MAX_SAFE_INTEGER : rounds,
        );
        if (dies) {
          done.catch(() => {});
          // At any point of whatever it does.
          await new Promise((resolve) => setTimeout(resolve, 100 + 13 * (killing++ % 20)));
          await peer.kill();
          continue;
        }
        for (const [what, count] of Object.entries(await done))
          all[what] = (all[what] ?? 0) + count;
        return;
      }
    };
    await Promise.all(Array.from({ length: processes }, (_, at) => life(at)));
    const { 'extend granted': granted, 'release true': released, ...others } = all;
    const isExpected = (what: string): boolean =>
      ['extend ERR_CLAIM_CONFLICT', 'release false', 'end true'].includes(what);
    expect(Object.keys(others).filter((what) => !isExpected(what))).toEqual([]);
    expect(others['end true']).toBe(processes);
    expect(granted).toBeGreaterThan(rounds / 4);
    expect(released).toBeGreaterThan(rounds / 8);
    const claims = new Claims(locks, { root });
    expect(await claims.audit()).toEqual([]);
    await claims.prune();
    expect(readdirSync(locks)).toEqual([]);
  },
);
