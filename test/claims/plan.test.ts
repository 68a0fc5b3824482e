import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type ClaimRequest, type ClaimStatus, Claims, type Plan } from '../../src/claims.js';
import { testFolder } from '../support/folder.js';
import { runScript } from '../support/script.js';
import { needs } from '../support/tools.js';

type Edge = [number, number];

const claims = new Claims('/nowhere/locks', { root: '/' });

/** Mulberry32: the same numbers on each run. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const nameOf = (vertex: number): string => `agent-${vertex}`;
const vertexOf = (agent: string): number => Number(agent.slice('agent-'.length));

/** Requests that conflict exactly along the edges: each edge is a file that two ask for. */
function requestsOf(count: number, edges: Edge[]): ClaimRequest[] {
  return Array.from({ length: count }, (_, vertex) => ({
    agent: nameOf(vertex),
    files: [
      `own-${vertex}`,
      ...edges.filter((edge) => edge.includes(vertex)).map(([a, b]) => `edge-${a}-${b}`),
    ],
  }));
}

function status(agent: string, files: string[], more: Partial<ClaimStatus> = {}): ClaimStatus {
  return {
    agent,
    file: `/nowhere/locks/${agent}.lock`,
    state: 'active',
    reason: null,
    files,
    directories: [],
    except: [],
    task: null,
    lockedAt: new Date(0),
    expiresAt: new Date(4e12),
    bound: null,
    ...more,
  };
}

/** The fewest waves, by trying all; `later` are kept out of the first. */
function fewest(count: number, edges: Edge[], later: Set<number> = new Set()): number {
  const neighbours = Array.from({ length: count }, (_, vertex) =>
    edges.filter((edge) => edge.includes(vertex)).map(([a, b]) => (a === vertex ? b : a)),
  );
  const colours: number[] = [];
  const fits = (vertex: number, most: number, used: number): boolean => {
    if (vertex === count) return true;
    // Of waves that nobody has yet one is as good as another, but for the first.
    const end = Math.min(most, used + 1 + (later.size > 0 ? 1 : 0));
    for (let colour = later.has(vertex) ? 1 : 0; colour < end; colour++) {
      if (neighbours[vertex]?.some((other) => other < vertex && colours[other] === colour))
        continue;
      colours[vertex] = colour;
      if (fits(vertex + 1, most, Math.max(used, colour + 1))) return true;
    }
    return false;
  };
  let most = 1;
  while (!fits(0, most, 0)) most++;
  return most;
}

/** Every agent once, in the order of the requests, and no edge within a wave. */
function checkWaves(plan: Plan, count: number, edges: Edge[]): void {
  const waves = plan.waves.map((wave) => wave.map(vertexOf));
  expect(waves.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, v) => v));
  for (const wave of waves) {
    expect(wave.length).toBeGreaterThan(0);
    expect(wave).toEqual([...wave].sort((a, b) => a - b));
    for (const [a, b] of edges) expect(wave.includes(a) && wave.includes(b)).toBe(false);
  }
  const named = plan.conflicts.map(({ agents }) => agents.map(vertexOf).join());
  const sorted = [...edges].sort((x, y) => x[0] - y[0] || x[1] - y[1]);
  expect(named).toEqual(sorted.map((edge) => edge.join()));
}

function randomEdges(count: number, percent: number, next: (below: number) => number): Edge[] {
  const edges: Edge[] = [];
  for (let a = 0; a < count; a++) {
    for (let b = a + 1; b < count; b++) if (next(100) < percent) edges.push([a, b]);
  }
  return edges;
}

const cycle = (count: number): Edge[] =>
  Array.from({ length: count }, (_, at): Edge => {
    const next = (at + 1) % count;
    return at < next ? [at, next] : [next, at];
  });

const complete = (count: number): Edge[] => randomEdges(count, 100, () => 0);

/** The Grötzsch graph: without a triangle, and yet 4. */
function mycielski(count: number, edges: Edge[]): [number, Edge[]] {
  const more = edges.flatMap(([a, b]): Edge[] => [
    [a, count + b],
    [b, count + a],
  ]);
  const top = Array.from({ length: count }, (_, at): Edge => [count + at, 2 * count]);
  return [2 * count + 1, [...edges, ...more, ...top]];
}

/** Two sides, each joined with all of the other but its own: greedy may take half of it. */
function crown(half: number): Edge[] {
  const edges: Edge[] = [];
  for (let a = 0; a < half; a++) {
    for (let b = 0; b < half; b++) {
      // Side by side in the order, which is the worst for greedy.
      if (a !== b) edges.push([Math.min(2 * a, 2 * b + 1), Math.max(2 * a, 2 * b + 1)]);
    }
  }
  return edges;
}

function wheel(rim: number): [number, Edge[]] {
  return [rim + 1, [...cycle(rim), ...Array.from({ length: rim }, (_, at): Edge => [at, rim])]];
}

function petersen(): Edge[] {
  const edges: Edge[] = [];
  for (let at = 0; at < 5; at++) {
    edges.push([at, (at + 1) % 5], [at, at + 5], [5 + at, 5 + ((at + 2) % 5)]);
  }
  return edges.map(([a, b]): Edge => (a < b ? [a, b] : [b, a]));
}

describe('waves', () => {
  test('are as few as trying all finds, on random graphs', () => {
    const next = generator(20260117);
    for (let turn = 0; turn < 400; turn++) {
      const count = 1 + next(9);
      const edges = randomEdges(count, 10 + next(80), next);
      const plan = claims.plan(requestsOf(count, edges));
      checkWaves(plan, count, edges);
      expect({ edges, waves: plan.waves.length }).toEqual({ edges, waves: fewest(count, edges) });
    }
  });

  test('are as few as trying all finds where some must wait for existing claims', () => {
    const next = generator(42);
    for (let turn = 0; turn < 300; turn++) {
      const count = 2 + next(7);
      const edges = randomEdges(count, 10 + next(70), next);
      const later = new Set(
        Array.from({ length: count }, (_, at) => at).filter(() => next(3) === 0),
      );
      // Somebody who is free keeps the first wave from being empty.
      const requests = [...requestsOf(count, edges), { agent: `agent-${count}` }];
      const existing = [...later].map((at) => status(`old-${at}`, [`own-${at}`]));
      const { waves, conflicts } = claims.plan(requests, { existing });
      for (const at of later) expect(waves[0]).not.toContain(nameOf(at));
      expect(conflicts).toHaveLength(edges.length + later.size);
      expect({ edges, later, waves: waves.length }).toEqual({
        edges,
        later,
        waves: fewest(count, edges, later),
      });
    }
  });

  const known: [name: string, count: number, edges: Edge[], waves: number][] = [
    ['a cycle of 13', 13, cycle(13), 3],
    ['a cycle of 16', 16, cycle(16), 2],
    ['all of 12', 12, complete(12), 12],
    ['all of 16', 16, complete(16), 16],
    ['the Grötzsch graph', ...mycielski(5, cycle(5)), 4],
    ['the graph of Mycielski of a cycle of 7', ...mycielski(7, cycle(7)), 4],
    ['a wheel with 15 on the rim', ...wheel(15), 4],
    ['a wheel with 14 on the rim', ...wheel(14), 3],
    ['the Petersen graph', 10, petersen(), 3],
    ['a crown of 12', 12, crown(6), 2],
    ['a crown of 16', 16, crown(8), 2],
    ['none of 16', 16, [], 1],
  ];

  test.each(known)('of %s are as few as can be', (_name, count, edges, waves) => {
    const plan = claims.plan(requestsOf(count, edges));
    checkWaves(plan, count, edges);
    expect(plan.waves).toHaveLength(waves);
  });

  test('of random graphs with 16 are as few as trying all finds', () => {
    const next = generator(7);
    for (const percent of [15, 30, 50, 70, 90]) {
      const edges = randomEdges(16, percent, next);
      const plan = claims.plan(requestsOf(16, edges));
      checkWaves(plan, 16, edges);
      expect(plan.waves).toHaveLength(fewest(16, edges));
    }
  });

  test('are minimal in each part that hangs together, however many parts there are', () => {
    const edges: Edge[] = [];
    for (let part = 0; part < 10; part++) {
      for (const [a, b] of cycle(5)) edges.push([part * 5 + a, part * 5 + b]);
    }
    const plan = claims.plan(requestsOf(50, edges));
    checkWaves(plan, 50, edges);
    expect(plan.waves).toHaveLength(3);
  });

  test('beyond 16 are no more than greedy by degree takes', () => {
    const next = generator(99);
    for (let turn = 0; turn < 25; turn++) {
      const count = 17 + next(30);
      const edges = randomEdges(count, 5 + next(60), next);
      const neighbours = Array.from({ length: count }, (_, vertex) =>
        edges.filter((edge) => edge.includes(vertex)).map(([a, b]) => (a === vertex ? b : a)),
      );
      const colours = new Map<number, number>();
      const byDegree = neighbours
        .map((list, vertex) => ({ vertex, degree: list.length }))
        .sort((a, b) => b.degree - a.degree || a.vertex - b.vertex);
      for (const { vertex } of byDegree) {
        let colour = 0;
        while (neighbours[vertex]?.some((other) => colours.get(other) === colour)) colour++;
        colours.set(vertex, colour);
      }
      const plan = claims.plan(requestsOf(count, edges));
      checkWaves(plan, count, edges);
      expect(plan.waves.length).toBeLessThanOrEqual(Math.max(...colours.values()) + 1);
    }
  });

  test('and conflicts are the same for the same requests', () => {
    const next = generator(3);
    for (const count of [9, 16, 30]) {
      const edges = randomEdges(count, 40, next);
      const requests = requestsOf(count, edges);
      const [once, again] = [claims.plan(requests), new Claims('/elsewhere', { root: '/' })];
      expect(again.plan(structuredClone(requests))).toEqual(once);
    }
  });

  test('of nobody are none, and of one are one', () => {
    expect(claims.plan([])).toEqual({ waves: [], conflicts: [] });
    expect(claims.plan([{ agent: 'a', files: ['x'] }])).toEqual({ waves: [['a']], conflicts: [] });
  });

  test('have whoever claims nothing in the first, whatever the others do', () => {
    const requests = [...requestsOf(5, complete(5)), { agent: 'reviewer' }];
    requests.splice(2, 0, { agent: 'reader', files: [], directories: [] });
    const { waves, conflicts } = claims.plan(requests, {
      existing: [status('old', ['**'])],
    });
    expect(waves[0]).toEqual(['reader', 'reviewer']);
    expect(waves).toHaveLength(6);
    expect(conflicts.some(({ agents }) => agents.includes('reviewer'))).toBe(false);
  });

  test('do not mind a scope of which except leaves nothing', () => {
    const requests = [
      { agent: 'a', files: ['x'], except: ['x'] },
      { agent: 'b', files: ['x'] },
    ];
    expect(claims.plan(requests)).toEqual({ waves: [['a', 'b']], conflicts: [] });
  });
});

describe('existing claims', () => {
  test('keep whoever overlaps out of the first wave, and are told as the second agent', () => {
    const expiresAt = new Date(4e12);
    const existing = [status('old', [], { directories: ['src/'], task: 'tidy', expiresAt })];
    const requests = [
      { agent: 'a', files: ['src/x'] },
      { agent: 'b', files: ['docs/x'] },
    ];
    const { waves, conflicts } = claims.plan(requests, { existing });
    expect(waves).toEqual([['b'], ['a']]);
    expect(conflicts).toMatchObject([
      {
        agents: ['a', 'old'],
        entries: [
          { kind: 'file', pattern: 'src/x' },
          { kind: 'directory', pattern: 'src/' },
        ],
        witness: 'src/x',
        task: 'tidy',
        expiresAt,
      },
    ]);
    const sequential = conflicts[0]?.resolutions.find(({ kind }) => kind === 'sequential');
    expect(sequential).toMatchObject({ agents: ['old', 'a'] });
  });

  test('that all overlap with leave no empty first wave, but the conflicts', () => {
    const existing = [status('old', ['x'])];
    const { waves, conflicts } = claims.plan([{ agent: 'a', files: ['x'] }], { existing });
    expect(waves).toEqual([['a']]);
    expect(conflicts).toMatchObject([{ agents: ['a', 'old'] }]);
  });

  test('of the same agent are ignored: it replaces them', () => {
    const existing = [status('a', ['x']), status('b', ['y'])];
    const requests = [
      { agent: 'a', files: ['x'] },
      { agent: 'b', files: ['z'] },
      { agent: 'c', files: ['y'] },
    ];
    expect(claims.plan(requests, { existing })).toEqual({
      waves: [['a', 'b', 'c']],
      conflicts: [],
    });
  });

  test.each(['expired', 'orphaned', 'invalid'] as const)('that are %s are ignored', (state) => {
    const existing = [status('old', ['x'], { state, reason: 'so' })];
    const { waves, conflicts } = claims.plan([{ agent: 'a', files: ['x'] }], { existing });
    expect({ waves, conflicts }).toEqual({ waves: [['a']], conflicts: [] });
  });

  test('that are conflicting count, and conflicts among themselves are not told', () => {
    const existing = [
      status('one', ['x'], { state: 'conflicting' }),
      status('two', ['x'], { state: 'conflicting' }),
    ];
    const requests = [{ agent: 'a', files: ['x'] }, { agent: 'r' }];
    const { waves, conflicts } = claims.plan(requests, { existing });
    expect(waves).toEqual([['r'], ['a']]);
    expect(conflicts.map(({ agents }) => agents)).toEqual([
      ['a', 'one'],
      ['a', 'two'],
    ]);
  });

  test('leave out their except', () => {
    const existing = [status('old', [], { directories: ['src/'], except: ['src/a/', 'src/*.md'] })];
    const requests = [
      { agent: 'a', files: ['src/a/x', 'src/b.md'] },
      { agent: 'b', files: ['src/b'] },
    ];
    expect(claims.plan(requests, { existing }).waves).toEqual([['a'], ['b']]);
  });
});

describe('resolutions', () => {
  const pair = (
    one: Omit<ClaimRequest, 'agent'>,
    other: Omit<ClaimRequest, 'agent'>,
  ): [ClaimRequest, ClaimRequest] => [
    { agent: 'one', ...one },
    { agent: 'other', ...other },
  ];
  const resolutionsOf = (requests: ClaimRequest[]) =>
    claims.plan(requests).conflicts[0]?.resolutions ?? [];

  test('of every conflict include sequential, the first of the requests first', () => {
    const next = generator(11);
    const entries = ['a/', 'a/*', '**/x', 'a/x', '*', 'b/**', '?/x', '.', 'b/'];
    let seen = 0;
    for (let turn = 0; turn < 300; turn++) {
      const some = (): ClaimRequest['files'] =>
        Array.from({ length: 1 + next(3) }, () => entries[next(entries.length)] as string);
      for (const { agents, resolutions } of claims.plan(pair({ files: some() }, { files: some() }))
        .conflicts) {
        seen++;
        expect(resolutions.filter(({ kind }) => kind === 'sequential')).toMatchObject([{ agents }]);
        for (const { text } of resolutions) expect(text).not.toBe('');
      }
    }
    expect(seen).toBeGreaterThan(100);
  });

  /** What a resolution asks for, done. */
  function apply(requests: ClaimRequest[]): { kind: string; after: Plan }[] {
    return resolutionsOf(requests).flatMap((resolution) => {
      const changed = requests.map((request): ClaimRequest => {
        if (resolution.kind === 'split' && resolution.agent === request.agent) {
          return { ...request, except: [...(request.except ?? []), ...resolution.except] };
        }
        if (resolution.kind === 'reassign' && resolution.to !== request.agent) {
          const files = (request.files ?? []).filter((each) => !resolution.files.includes(each));
          return { ...request, files };
        }
        return request;
      });
      const { kind } = resolution;
      return kind === 'split' || kind === 'reassign' ? [{ kind, after: claims.plan(changed) }] : [];
    });
  }

  test('split and reassign, when done, leave one wave and no conflict', () => {
    const next = generator(12);
    const entries = [
      'a/',
      'a/b/',
      'a/*',
      '**/x',
      'a/x',
      'a/y',
      'b/x',
      'b/**',
      '?/x',
      'b/',
      'c',
      'd',
    ];
    const seen = new Map<string, number>();
    for (let turn = 0; turn < 800; turn++) {
      const some = (): ClaimRequest['files'] => [
        ...new Set(
          Array.from({ length: 1 + next(4) }, () => entries[next(entries.length)] as string),
        ),
      ];
      const except = next(4) === 0 ? ['**/y'] : [];
      const requests = pair({ files: some(), except }, { files: some() });
      for (const { kind, after } of apply(requests)) {
        seen.set(kind, (seen.get(kind) ?? 0) + 1);
        expect({ requests, kind, after }).toEqual({
          requests,
          kind,
          after: { waves: [['one', 'other']], conflicts: [] },
        });
      }
    }
    expect(seen.get('split')).toBeGreaterThan(100);
    expect(seen.get('reassign')).toBeGreaterThan(20);
  });

  test('split makes the narrower claim an except of the wider one, whichever comes first', () => {
    const wide = { directories: ['vendor/'] };
    const narrow = { files: ['vendor/**/*_test.go'] };
    const split = { kind: 'split', except: ['vendor/**/*_test.go'] };
    expect(resolutionsOf(pair(wide, narrow))).toContainEqual(
      expect.objectContaining({ ...split, agent: 'one' }),
    );
    expect(resolutionsOf(pair(narrow, wide))).toContainEqual(
      expect.objectContaining({ ...split, agent: 'other' }),
    );
    const nested = resolutionsOf(pair({ directories: ['a'] }, { directories: ['a/b'] }));
    expect(nested).toContainEqual(
      expect.objectContaining({ kind: 'split', agent: 'one', except: ['a/b/'] }),
    );
  });

  test('reassign where they meet in single files alone', () => {
    const requests = pair({ files: ['a', 'b', 'shared'] }, { files: ['c', 'shared'] });
    const found = resolutionsOf(requests).find(({ kind }) => kind === 'reassign');
    expect(found).toMatchObject({ files: ['shared'], to: expect.stringMatching(/^(one|other)$/) });
    const wild = resolutionsOf(pair({ files: ['*.ts', 'x'] }, { files: ['a.ts', 'y'] }));
    expect(wild.map(({ kind }) => kind)).not.toContain('reassign');
  });

  test('reassign takes nothing from whoever would be left with nothing', () => {
    const [first, second] = [{ files: ['shared'] }, { files: ['a', 'shared'] }];
    expect(resolutionsOf(pair(first, second))).toContainEqual(
      expect.objectContaining({ kind: 'reassign', to: 'one' }),
    );
    expect(resolutionsOf(pair(second, first))).toContainEqual(
      expect.objectContaining({ kind: 'reassign', to: 'other' }),
    );
  });

  test('merge where they claim mostly the same', () => {
    const files = ['a', 'b', 'c', 'd'];
    const same = resolutionsOf(pair({ files }, { files: [...files, 'e'] }));
    expect(same).toContainEqual(
      expect.objectContaining({ kind: 'merge', agents: ['one', 'other'] }),
    );
    const little = resolutionsOf(pair({ files }, { files: ['a', 'x', 'y', 'z'] }));
    expect(little.map(({ kind }) => kind)).not.toContain('merge');
    const equal = resolutionsOf(pair({ files: ['a'] }, { files: ['a'] }));
    expect(equal.map(({ kind }) => kind).sort()).toEqual(['merge', 'sequential']);
  });
});

describe('planning', () => {
  const requests = [
    { agent: 'a', directories: ['src'] },
    { agent: 'b', files: ['src/x.ts'] },
  ];

  test('makes no folder, and minds none', () => {
    const folder = testFolder();
    const directory = join(folder, 'deep', 'locks');
    const plan = new Claims(directory, { root: folder }).plan(requests);
    expect(plan.waves).toEqual([['a'], ['b']]);
    expect(readdirSync(folder)).toEqual([]);
    const file = join(folder, 'file');
    writeFileSync(file, 'content');
    expect(new Claims(file, { root: folder }).plan(requests)).toEqual(plan);
    expect(readFileSync(file, 'utf8')).toBe('content');
  });

  test('changes nothing in a folder, and its claims count only if they are given', async () => {
    const folder = testFolder();
    const directory = join(folder, 'locks');
    const all = new Claims(directory, { root: folder });
    const claim = await all.claim({ agent: 'holder', directories: ['src'] });
    writeFileSync(join(directory, 'broken.lock'), 'broken');
    const before = statSync(directory, { bigint: true });
    const names = readdirSync(directory);
    expect(all.plan(requests).conflicts).toHaveLength(1);
    expect(all.plan(requests, { existing: await all.list() }).conflicts).toHaveLength(3);
    const after = statSync(directory, { bigint: true });
    expect(after.mtimeNs).toBe(before.mtimeNs);
    expect(readdirSync(directory)).toEqual(names);
    expect(await claim.release()).toBe(true);
  });

  const PRELUDE = `
    const { Claims } = await import(process.env.HOLDFAST_TEST_ENTRY.replace('index.js', 'claims.js'));
    const claims = new Claims(path, { root: args[0] });
    const requests = ${JSON.stringify(requests)};
  `;

  needs('strace')('does no system call about the folder', async () => {
    const folder = testFolder();
    const directory = join(folder, 'locks-of-the-workflow');
    mkdirSync(directory);
    const log = join(folder, 'log');
    const { reports, code } = await runScript(
      directory,
      `${PRELUDE}
      report(claims.plan(requests).waves);
      fs.existsSync(path + '/marker');`,
      {
        args: [folder],
        wrap: ['strace', '-f', '-qq', '-s', '4096', '-e', 'trace=%file', '-o', log],
      },
    );
    expect({ code, reports }).toEqual({ code: 0, reports: [[['a'], ['b']]] });
    const calls = readFileSync(log, 'utf8')
      .split('\n')
      .filter((line) => line.includes(directory) && !line.includes('execve'));
    // The marker shows that the log would have told of it.
    expect(calls).toHaveLength(1);
    expect(calls[0]).toContain(`${directory}/marker`);
  });

  test('works without the addon, where claiming says that it is missing', async () => {
    const folder = testFolder();
    const directory = join(folder, 'locks');
    const { reports, code, stderr } = await runScript(
      directory,
      `${PRELUDE}
      report(claims.plan(requests).waves);
      report(await outcome(() => claims.claim(requests[0])));
      report(await outcome(() => claims.claimAll(requests.slice(1))));`,
      { args: [folder], env: { HOLDFAST_PREBUILD: testFolder() } },
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(reports).toMatchObject([
      [['a'], ['b']],
      { code: 'ERR_LOCK_UNSUPPORTED' },
      { code: 'ERR_LOCK_UNSUPPORTED' },
    ]);
    expect(readdirSync(folder)).toEqual([]);
  });
});
