// @module-tag long
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseClaim } from '../../src/claims/claim-file.js';
import { formatClaim, offsetOfExpiry } from '../../src/claims/claim-text.js';
import { findCommon } from '../../src/claims/overlap.js';
import { UNDECIDED } from '../../src/claims/overlap-search.js';
import { plainPath } from '../../src/claims/pattern.js';
import { isWithin } from '../../src/claims/within.js';
import { FOREIGN, parseContent, RECORD_LIMIT } from '../../src/holders/owner-record.js';
import { FileLock } from '../../src/index.js';
import { testFolder } from '../support/folder.js';
import { limit } from '../support/limit.js';
import * as claims from './fuzz/claim.js';
import * as records from './fuzz/record.js';

// HOLDFAST_TORTURE: minutes for all of them together (3, if it is no number).
// HOLDFAST_FUZZ_SEED: the seed of a failed run, which is in its message.
const torture = process.env['HOLDFAST_TORTURE'] ?? '';
const MINUTES = torture === '' ? 0 : Number(torture) > 1 ? Number(torture) : 3;
const TARGETS = 8;
const MILLISECONDS = MINUTES > 0 ? (MINUTES * 60_000) / TARGETS : 600;
const SEED = Number(process.env['HOLDFAST_FUZZ_SEED'] ?? Date.now() % 2 ** 31);
// One input. Shared machines stall; what hangs takes longer.
const LONGEST_MILLISECONDS = 10_000;

/** Throws on what takes too long, and gives what came of it. */
function bounded<R>(call: () => R): R {
  const start = performance.now();
  const result = call();
  expect(performance.now() - start).toBeLessThan(limit(LONGEST_MILLISECONDS));
  return result;
}

function fuzz<T>(title: string, arbitrary: fc.Arbitrary<T>, check: (value: T) => void): void {
  test(
    title,
    () => {
      let count = 0;
      const property = fc.property(arbitrary, (value) => {
        count++;
        check(value);
      });
      fc.assert(property, {
        seed: SEED,
        numRuns: Number.MAX_SAFE_INTEGER,
        interruptAfterTimeLimit: MILLISECONDS,
        markInterruptAsFailure: false,
      });
      expect(count).toBeGreaterThan(0);
      if (MINUTES > 0) console.log(`fuzz: ${title}: ${count} inputs, seed ${SEED}`);
    },
    MILLISECONDS + 60_000,
  );
}

describe('the reader of records', () => {
  fuzz('has an answer for any text, and the answer makes sense', records.content, (text) => {
    const answer = bounded(() => parseContent(text));
    expect(records.problemsOf(text, answer)).toEqual([]);
    expect(parseContent(text)).toEqual(answer);
  });

  fuzz('reads back what is written', records.held, ({ text, since, token, data }) => {
    const { ours, owner, token: stored } = parseContent(text);
    expect({ ours, stored }).toEqual({ ours: true, stored: token });
    expect(owner).toMatchObject({ pid: process.pid, since: new Date(since) });
    expect(owner?.data).toEqual(data);
    // As it stands while newlines are where something longer was.
    expect(parseContent(`${text}\n\n\n`)).toEqual(parseContent(text));
  });

  const path = lockPathOnce();
  fuzz('copes with any file, and what is not ours is not touched', records.content, (text) => {
    const bytes = Buffer.from(text);
    writeFileSync(path(), bytes);
    const { ours, token: stored } =
      bytes.length > RECORD_LIMIT ? FOREIGN : parseContent(bytes.toString('utf8'));
    if (stored >= Number.MAX_SAFE_INTEGER) {
      const refused = expect.objectContaining({ code: 'ERR_LOCK_STATE' });
      expect(() => FileLock.acquireSync(path())).toThrow(refused);
      expect(readFileSync(path()).equals(bytes)).toBe(true);
      return;
    }
    {
      using lock = bounded(() => FileLock.acquireSync(path()));
      expect(lock.held).toBe(true);
      expect(lock.token).toBeGreaterThan(stored);
    }
    if (ours && stored === Number.MAX_SAFE_INTEGER - 1) return;
    using next = FileLock.acquireSync(path());
    expect(next.previous).toBeNull();
    if (!ours) expect(readFileSync(path()).equals(bytes)).toBe(true);
    else expect(next.token).toBeGreaterThan(stored + 1);
  });
});

describe('the reader of claims', () => {
  fuzz('has a claim or a reason for any bytes', claims.content, (bytes) => {
    const answer = bounded(() => parseClaim(bytes, claims.AGENT, claims.ROOT));
    if (typeof answer === 'string') {
      expect(answer).not.toBe('');
      return;
    }
    expect(answer.agent).toBe(claims.AGENT);
    expect(answer.expiresAt.getTime()).toBeGreaterThanOrEqual(answer.lockedAt.getTime());
    const at = bounded(() => offsetOfExpiry(bytes));
    if (at < 0) return;
    const changed = Buffer.from(bytes);
    changed.write('2222-02-22T22:22:22Z', at);
    expect(parseClaim(changed, claims.AGENT, claims.ROOT)).toMatchObject({
      expiresAt: new Date('2222-02-22T22:22:22Z'),
    });
  });

  fuzz('reads back what is written', claims.claim, (claim) => {
    const bytes = Buffer.from(formatClaim(claim));
    const read = parseClaim(bytes, claims.AGENT, claims.ROOT);
    const texts = ({ parts }: Pick<typeof claim, 'parts'>): string[][][] =>
      parts.map(({ patterns, except }) => [
        patterns.map(({ pattern }) => pattern),
        except.map(({ pattern }) => pattern),
      ]);
    if (typeof read === 'string') throw new Error(read);
    expect(texts(read)).toEqual(texts(claim));
    const { task, id, bound, lockedAt, expiresAt } = claim;
    expect(read).toMatchObject({ task, id, bound, lockedAt, expiresAt });
    expect(offsetOfExpiry(bytes)).toBeGreaterThan(0);
  });
});

describe('patterns', () => {
  fuzz(
    'are read or refused, and reading them again changes nothing',
    fc.tuple(fc.oneof(claims.patternText, fc.jsonValue({ maxDepth: 1 })), claims.kind),
    ([text, kind]) => {
      const pattern = bounded(() => claims.patternOf(text, kind));
      if (pattern === null) return;
      const again = claims.patternOf(pattern.pattern, pattern.kind);
      expect([again?.pattern, again?.kind]).toEqual([pattern.pattern, pattern.kind]);
      bounded(() => [pattern.segments, pattern.prefix, pattern.tail, pattern.tokens]);
    },
  );

  fuzz(
    'have a path in common, or none, whichever comes first',
    fc.tuple(claims.pattern, claims.pattern),
    ([one, other]) => {
      const common = bounded(() => findCommon(one, other));
      const reversed = bounded(() => findCommon(other, one));
      if (common === UNDECIDED || reversed === UNDECIDED) return;
      expect(reversed === null).toBe(common === null);
      if (common === null) return;
      // What is in both is in each of them.
      const path = claims.pathOf(common);
      expect([isWithin(path, one), isWithin(path, other)]).toEqual([true, true]);
    },
  );

  fuzz(
    'have nothing in common without what excludes one of them',
    fc.tuple(claims.pattern, claims.pattern),
    ([one, other]) => {
      const common = bounded(() => findCommon(one, other, [one]));
      expect([null, UNDECIDED]).toContain(common);
      bounded(() => plainPath(one));
    },
  );
});

describe('found by it', () => {
  test('a wildcard after an escaped backslash is a wildcard', () => {
    const path = claims.pathOf('dir/\\b');
    const pattern = claims.patternOf('**/\\\\?', 'file');
    if (pattern === null) throw new Error('not read');
    expect(findCommon(path, pattern)).toBe('dir/\\b');
    expect(isWithin(path, pattern)).toBe(true);
  });
});

/** One for all the inputs of a test. */
function lockPathOnce(): () => string {
  let path = '';
  return () => {
    if (path === '') path = join(testFolder(), 'fuzzed.lock');
    return path;
  };
}
