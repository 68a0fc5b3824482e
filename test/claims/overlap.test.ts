import { describe, expect, test } from 'vitest';
import { findCommon } from '../../src/claims/overlap.js';
import type { Pattern } from '../../src/claims/pattern.js';
import {
  isEmpty,
  patternsOf,
  type Scope,
  ScopeIndex,
  scopeOf,
  witnessOf,
} from '../../src/claims/scope.js';
import { isWithin } from '../../src/claims/within.js';
import { type ClaimRequest, Claims } from '../../src/claims.js';
import { bruteForce, generatePool, matches } from '../support/claims-brute-force.js';
import { common, read } from '../support/claims-patterns.js';
import { generator } from '../support/claims-random.js';
import { inTwoSizes } from '../support/sizes.js';

const SEED = 20260117;

describe('generated patterns', () => {
  inTwoSizes(
    (pairs) =>
      `overlap if and only if trying all paths finds one, and the witness is one: ${pairs} pairs`,
    { short: 150, long: 10_000 },
    (pairs) => {
      const next = generator(SEED);
      const pool = generatePool(600, next);
      const pick = (): string => pool[next(pool.length)] as string;
      const wrong: unknown[] = [];
      let overlapping = 0;
      for (let turn = 0; turn < pairs; turn++) {
        const [one, other] = [pick(), pick()];
        const except = Array.from({ length: next(2) * next(4) }, pick);
        const witness = common(one, other, except);
        const found = bruteForce(one, other, except);
        if (witness === null) {
          if (found !== null) wrong.push({ one, other, except, missed: found });
          continue;
        }
        overlapping++;
        const holds =
          matches(one, witness) &&
          matches(other, witness) &&
          !except.some((each) => matches(each, witness)) &&
          !witness.split('/').some((name) => ['', '.', '..'].includes(name));
        if (!holds) wrong.push({ one, other, except, witness });
      }
      expect(wrong.slice(0, 5)).toEqual([]);
      // The generator makes both kinds.
      expect(overlapping).toBeGreaterThan(pairs / 5);
      expect(overlapping).toBeLessThan((pairs / 5) * 4);
    },
  );

  test('of up to two segments: all with all, and with each of some exceptions', {
    tags: ['long'],
  }, () => {
    const segments = ['a', '*', '**', '?', '.*'];
    const texts = [
      ...segments,
      ...segments.flatMap((one) => segments.map((other) => `${one}/${other}`)),
    ].flatMap((text) => [text, `${text}/`]);
    texts.push('.');
    const wrong: unknown[] = [];
    for (const except of [[], ['a'], ['**/a'], ['*'], ['*/*/'], ['.']]) {
      for (const one of texts) {
        for (const other of texts) {
          const witness = common(one, other, except);
          const found = bruteForce(one, other, except);
          const right =
            witness === null
              ? found === null
              : matches(one, witness) &&
                matches(other, witness) &&
                !except.some((each) => matches(each, witness));
          if (!right) wrong.push({ one, other, except, witness, found });
        }
      }
    }
    expect({ count: wrong.length, some: wrong.slice(0, 5) }).toEqual({ count: 0, some: [] });
  });

  test('agree whichever of the two comes first', () => {
    const next = generator(SEED + 1);
    const pool = generatePool(150, next);
    const pick = (): string => pool[next(pool.length)] as string;
    for (let turn = 0; turn < 2000; turn++) {
      const [one, other] = [pick(), pick()];
      const except = Array.from({ length: next(3) }, pick);
      const there = common(one, other, except) !== null;
      const back = common(other, one, [...except].reverse()) !== null;
      expect({ one, other, except, there }).toEqual({ one, other, except, there: back });
    }
  });

  interface Texts {
    patterns: string[];
    except: string[];
  }

  function generateScopes(count: number, most: number, seed: number): Texts[] {
    const next = generator(seed);
    const pool = generatePool(300, next).filter((text) => text.length > 3 || next(4) === 0);
    const some = (least: number, below: number): string[] =>
      Array.from({ length: least + next(below) }, () => pool[next(pool.length)] as string);
    return Array.from({ length: count }, () => ({
      patterns: some(1, most),
      except: next(2) === 0 ? [] : some(0, 3),
    }));
  }

  const scopeOfTexts = ({ patterns, except }: Texts): Scope =>
    scopeOf(
      patterns.map((each) => read(each)),
      except.map((each) => read(each)),
    );

  function bruteScopes(one: Texts, other: Texts): boolean {
    const except = [...one.except, ...other.except];
    return one.patterns.some((a) => other.patterns.some((b) => bruteForce(a, b, except) !== null));
  }

  test('of whole scopes: the index finds what comparing each with each finds', {
    tags: ['long'],
  }, () => {
    const texts = generateScopes(40, 10, SEED + 2);
    const scopes = texts.map(scopeOfTexts);
    const index = new ScopeIndex<Scope>();
    for (const scope of scopes) index.add(scope);
    scopes.forEach((scope, at) => {
      const indexed = new Set<number>();
      for (const { scope: met, own, other } of index.overlapsWith(scope, () => true)) {
        const witness = witnessOf(own, other) as string;
        const place = scopes.indexOf(met);
        indexed.add(place);
        const [one, two] = [texts[at] as Texts, texts[place] as Texts];
        expect(one.patterns.some((each) => read(each).pattern === own.pattern.pattern)).toBe(true);
        expect(two.patterns.some((each) => read(each).pattern === other.pattern.pattern)).toBe(
          true,
        );
        const found = [own, other].map(({ pattern }) => matches(pattern.pattern, witness));
        expect(found).toEqual([true, true]);
        expect([...one.except, ...two.except].some((each) => matches(each, witness))).toBe(false);
      }
      const pairwise = scopes.flatMap((other, place) =>
        patternsOf(scope).some((pattern) =>
          patternsOf(other).some((theirs) => meetOf(scope, pattern, other, theirs) !== null),
        )
          ? [place]
          : [],
      );
      expect([...indexed].sort((a, b) => a - b)).toEqual(pairwise);
      // All that the brute force finds is among them.
      texts.forEach((other, place) => {
        if (bruteScopes(texts[at] as Texts, other)) expect(pairwise).toContain(place);
      });
    });
  });

  /** Without the index and without its short cuts. */
  const meetOf = (one: Scope, a: Pattern, other: Scope, b: Pattern): string | null =>
    findCommon(
      a,
      b,
      [...one.parts, ...other.parts].flatMap(({ except }) => except),
    );

  test('of whole scopes: plan has a conflict where there is a path, and nowhere else', {
    tags: ['long'],
  }, () => {
    const claims = new Claims('/nowhere/locks', { root: '/' });
    for (let turn = 0; turn < 60; turn++) {
      const texts = generateScopes(8, 3, SEED + 100 + turn);
      const requests = texts.map(({ patterns, except }, at): ClaimRequest => {
        const directories = patterns.filter((each) => read(each).kind === 'directory');
        const files = patterns.filter((each) => read(each).kind === 'file');
        return { agent: `agent-${at}`, files, directories, except };
      });
      const { conflicts } = claims.plan(requests);
      const named = new Map(conflicts.map((each) => [each.agents.join(), each.witness]));
      for (const [at, one] of texts.entries()) {
        for (const [place, other] of texts.entries()) {
          if (place <= at) continue;
          const witness = named.get(`agent-${at},agent-${place}`);
          if (witness === undefined) {
            expect({ one, other, meet: bruteScopes(one, other) }).toMatchObject({ meet: false });
            continue;
          }
          for (const { patterns, except } of [one, other]) {
            const has =
              patterns.some((each) => matches(each, witness)) &&
              !except.some((each) => matches(each, witness));
            expect({ patterns, except, witness, has }).toMatchObject({ has: true });
          }
        }
      }
    }
  });

  inTwoSizes(
    (pairs) => `one is within another if and only if that matches all its paths: ${pairs} pairs`,
    { short: 300, long: 20_000 },
    (pairs) => {
      const next = generator(SEED + 4);
      const pool = generatePool(pairs < 1000 ? 40 : 400, next);
      const pick = (): string => pool[next(pool.length)] as string;
      let within = 0;
      for (let turn = 0; turn < pairs; turn++) {
        const [narrow, wide] = [pick(), pick()];
        const left = bruteForce(narrow, narrow, [wide]);
        if (isWithin(read(narrow), read(wide))) {
          within++;
          expect({ narrow, wide, left }).toMatchObject({ left: null });
        } else if (left === null) {
          // Of a letter that the brute force does not try.
          const witness = common(narrow, narrow, [wide]) as string;
          expect({ narrow, wide, matched: matches(narrow, witness) }).toMatchObject({
            matched: true,
          });
          expect(matches(wide, witness)).toBe(false);
        }
      }
      expect(within).toBeGreaterThan(pairs / 40);
    },
  );

  test('a scope is empty if and only if its except takes all paths', { tags: ['long'] }, () => {
    const next = generator(SEED + 3);
    const pool = generatePool(80, next);
    const pick = (): string => pool[next(pool.length)] as string;
    let empty = 0;
    for (let turn = 0; turn < 2000; turn++) {
      const [pattern, except] = [pick(), [pick(), pick()]];
      const scope = scopeOfTexts({ patterns: [pattern], except });
      const left = bruteForce(pattern, pattern, except);
      if (isEmpty(scope)) {
        empty++;
        expect({ pattern, except, left }).toMatchObject({ left: null });
      } else if (left === null) {
        const witness = common(pattern, pattern, except) as string;
        expect(matches(pattern, witness)).toBe(true);
        expect(except.some((each) => matches(each, witness))).toBe(false);
      }
    }
    expect(empty).toBeGreaterThan(50);
  });
});
