import { describe, expect, test } from 'vitest';
import { type ClaimRequest, Claims, type Plan } from '../../src/claims.js';
import { generator } from '../support/claims-random.js';

const claims = new Claims('/nowhere/locks', { root: '/' });

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
