import fc from 'fast-check';
import type { ClaimFile } from '../../../src/claims/claim-file.js';
import { formatClaim } from '../../../src/claims/claim-text.js';
import { parsePattern } from '../../../src/claims/parse-pattern.js';
import type { Entry, Pattern } from '../../../src/claims/pattern.js';
import type { Root } from '../../../src/claims/root.js';

export const ROOT: Root = { path: '/srv/tree', real: '/mnt/disk/tree', ignoresCase: false };
export const AGENT = 'agent';

const name = fc.oneof(
  fc.stringMatching(/^[a-c.]{1,4}$/),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 6 }),
  fc.constantFrom('a', 'b', 'ab', '.', '..', '\u00e9', 'e\u0301', '\u{1f512}', ' '),
);

const segment = fc.oneof(
  { weight: 3, arbitrary: name },
  {
    weight: 1,
    arbitrary: fc.constantFrom('**', '*', '?', '*.ts', 'a*', '*a*', '\\*', '\\', 'a\\'),
  },
  { weight: 1, arbitrary: fc.stringMatching(/^[ab*?\\]{1,8}$/) },
);

/** What may be claimed, and what somebody may write there. */
export const patternText = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(
        fc.constantFrom('', '', '', '/', './', '/srv/tree/', '/mnt/disk/tree/', '../'),
        fc.array(segment, { minLength: 1, maxLength: 5 }),
        fc.constantFrom('', '', '', '/', '/**', '/.', '//'),
      )
      .map(([front, segments, back]) => front + segments.join('/') + back),
  },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 30 }) },
  // A search of which no end is known: it has to give up.
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.array(fc.constantFrom('*a', '*b', '?', '*'), { maxLength: 20 }), fc.boolean())
      .map(([parts, several]) => parts.join(several ? '/**/' : '')),
  },
  { weight: 1, arbitrary: fc.string({ maxLength: 5000, size: 'max' }) },
);

export const kind = fc.constantFrom<Entry['kind']>('file', 'directory');

/** The pattern, or `null` where it is refused as an argument is. */
export function patternOf(text: unknown, as: Entry['kind']): Pattern | null {
  try {
    return parsePattern(text, as, ROOT, 'it');
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === 'ERR_INVALID_ARG_VALUE' || code === 'ERR_INVALID_ARG_TYPE') return null;
    throw error;
  }
}

/** A path, which is that file alone. */
export function pathOf(text: string): Pattern {
  return parsePattern(text, 'file', ROOT, 'it', 'path');
}

export const pattern: fc.Arbitrary<Pattern> = fc
  .tuple(patternText, kind)
  .map(([text, as]) => patternOf(text, as))
  .filter((each) => each !== null);

const seconds = fc.integer({ min: 0, max: Date.UTC(2200, 0, 1) / 1000 });

function partsOf(patterns: Pattern[], except: Pattern[]): ClaimFile['parts'] {
  const unique = [...new Map(patterns.map((each) => [each.pattern, each])).values()];
  if (unique.length === 0) return [];
  // The others are folders by their last character.
  const sorted = [
    ...unique.filter((each) => each.kind === 'file'),
    ...unique.filter((each) => each.kind === 'directory'),
  ];
  const once = [...new Map(except.map((each) => [each.pattern, each])).values()];
  return [{ patterns: sorted, except: once, tree: null, by: 'hand', touched: null }];
}

// What has braces is written with all that they stand for, and is read so again.
const asWritten = pattern.filter(({ pattern: text }) => !/\{.*,.*\}/s.test(text));

/** A claim such as is written. */
export const claim: fc.Arbitrary<Omit<ClaimFile, 'fields'>> = fc
  .record({
    agent: fc.constant(AGENT),
    id: fc.uuid(),
    task: fc.option(fc.string({ unit: 'grapheme' })),
    times: fc.tuple(seconds, seconds),
    patterns: fc.array(asWritten, { maxLength: 4 }),
    except: fc.array(asWritten, { maxLength: 2 }),
    bound: fc.option(fc.record({ pid: fc.integer({ min: 1 }), start: fc.string() })),
    session: fc.option(
      fc.record({
        pid: fc.integer({ min: 1 }),
        start: fc.string(),
        boot: fc.string(),
        namespace: fc.string(),
      }),
    ),
    parent: fc.option(fc.string().filter((each) => each !== AGENT)),
  })
  .map(({ times, patterns, except, ...rest }) => ({
    ...rest,
    parts: partsOf(patterns, except),
    lockedAt: new Date(Math.min(...times) * 1000),
    expiresAt: new Date(Math.max(...times) * 1000),
  }));

const value = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom('2026-01-17T15:30:00Z', '2026-02-30T15:30:00Z', '2026-01-17', AGENT, null),
  fc.array(fc.oneof(patternText, fc.jsonValue({ maxDepth: 1 })), { maxLength: 4 }),
);

const fields = fc.record(
  {
    agent: fc.oneof(fc.constant(AGENT), value),
    locked_at: value,
    expires_at: value,
    files: value,
    directories: value,
    except: value,
    task_description: value,
    id: value,
    bound: fc.oneof(value, fc.record({ pid: value, start: value }, { requiredKeys: [] })),
    more: value,
  },
  { requiredKeys: [] },
);

const written = claim.map((each) => Buffer.from(formatClaim(each)));

/** Any content that the file of a claim may have. */
export const content: fc.Arbitrary<Buffer> = fc.oneof(
  { weight: 3, arbitrary: fields.map((each) => Buffer.from(JSON.stringify(each))) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(written, fc.double({ min: 0, max: 1, noNaN: true }), fc.uint8Array({ maxLength: 8 }))
      .map(([bytes, at, noise]) => {
        const cut = Math.floor(at * bytes.length);
        return Buffer.concat([bytes.subarray(0, cut), noise, bytes.subarray(cut + noise.length)]);
      }),
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)) },
  { weight: 1, arbitrary: fc.json({ maxDepth: 4 }).map((text) => Buffer.from(text)) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom('[', '{"a":'), fc.integer({ min: 1, max: 50_000 }))
      .map(([bracket, depth]) => Buffer.from(bracket.repeat(depth))),
  },
);
