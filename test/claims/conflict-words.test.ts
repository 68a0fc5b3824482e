import { expect, test } from 'vitest';
import { describeConflict, describeWitness } from '../../src/claims/conflict-words.js';
import type { Conflict } from '../../src/claims.js';

const conflict: Conflict = {
  agents: ['tests', 'api'],
  entries: [
    { kind: 'file', pattern: 'app/**/*.test.ts' },
    { kind: 'directory', pattern: 'app/api/' },
  ],
  witness: 'app/api/b.test.ts',
  task: 'Implement client',
  expiresAt: new Date('2026-01-17T16:30:00.000Z'),
  pid: null,
  resolutions: [],
};

test('a conflict is one sentence: who, what, why, until when', () => {
  expect(describeConflict(conflict)).toBe(
    'tests cannot have app/**/*.test.ts: api has app/api/ (both match app/api/b.test.ts), until 2026-01-17T16:30:00Z, "Implement client"',
  );
  expect(describeConflict(conflict, () => '16:30')).toContain(', until 16:30,');
});

test('a claim of a process lasts as long as that, not until a time', () => {
  const words = describeConflict({ ...conflict, pid: 4411 });
  expect(words).toContain(', until pid 4411 ends, ');
  expect(words).not.toContain('16:30');
});

test('what is not claimed yet is wanted', () => {
  expect(describeConflict({ ...conflict, task: null, expiresAt: null })).toBe(
    'tests cannot have app/**/*.test.ts: api wants app/api/ (both match app/api/b.test.ts)',
  );
});

test('names and tasks of others are safe to print', () => {
  const hostile = {
    ...conflict,
    agents: ['a\u001b[2J', 'b\nc'] as [string, string],
    task: '\u0007',
  };
  expect(describeConflict(hostile)).not.toMatch(/\p{Cc}/u);
});

test('patterns that are too complex have no witness', () => {
  expect(describeWitness('')).toBe('too complex to compare; treated as overlapping');
});
