import fc from 'fast-check';
import {
  type Content,
  checkData,
  heldContent,
  RECORD_LIMIT,
  releasedContent,
  toOwnerRecord,
} from '../../../src/holders/owner-record.js';

const HIGHEST_PID = 2 ** 31 - 1;

/** What an application may keep in its record. */
export const data: fc.Arbitrary<object> = fc
  .dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ maxDepth: 4 }), { maxKeys: 6 })
  .filter((value) => !['pid', 'startedAt', 'holdfast'].some((key) => Object.hasOwn(value, key)))
  // Two that JSON itself does not bring back: -0, and a prototype.
  .map((value) => JSON.parse(JSON.stringify(value)) as object);

export const token = fc.oneof(
  fc.nat(),
  fc.maxSafeNat().map((each) => Math.min(each, Number.MAX_SAFE_INTEGER - 1)),
  fc.constantFrom(0, 1, Number.MAX_SAFE_INTEGER - 1),
);

const time = fc.integer({ min: 0, max: Date.UTC(9999, 11, 31) });

/** A record as it is written while a lock is held. */
export const held = fc.record({ since: time, token, data }).map((each) => ({
  ...each,
  text: heldContent('json', each.since, each.token, checkData(each.data)),
}));

const wrong = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom(-1, 0, 1.5, 2 ** 31, 1e300, '', '1', null, [], {}),
);

/** JSON that is nearly a record. */
const nearly = fc
  .record(
    {
      pid: fc.oneof(fc.nat(), wrong),
      startedAt: fc.oneof(
        time.map((at) => new Date(at).toISOString()),
        wrong,
      ),
      holdfast: fc.oneof(
        fc.record(
          {
            hostname: fc.oneof(fc.string(), wrong),
            start: fc.oneof(fc.string(), wrong),
            boot: fc.oneof(fc.string(), wrong),
            token: fc.oneof(token, wrong),
          },
          { requiredKeys: [] },
        ),
        wrong,
      ),
      more: fc.jsonValue({ maxDepth: 2 }),
    },
    { requiredKeys: [] },
  )
  .map((value) => `${JSON.stringify(value)}\n`);

/** What a program, a crash or a person may do to a text. */
function damaged(text: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const at = fc.double({ min: 0, max: 1, noNaN: true });
  return fc
    .tuple(text, text, at, at, fc.constantFrom(0, 1, 2, 3, 4, 5, 6), fc.string())
    .map(([one, other, first, second, how, noise]) => {
      const [a, b] = [Math.floor(first * one.length), Math.floor(second * other.length)];
      if (how === 0) return one.slice(0, a);
      if (how === 1) return one.slice(0, a) + other.slice(a);
      if (how === 2) return one.slice(0, a) + noise + one.slice(a);
      if (how === 3) return one.slice(0, a) + one.slice(a + 1);
      if (how === 4) return one + other.slice(b);
      if (how === 5) return `${one.slice(0, a)}\0${one.slice(a + 1)}`;
      return one + '\n'.repeat(a);
    });
}

const deep = fc
  .tuple(fc.constantFrom('[', '{"a":', '[{"a":'), fc.integer({ min: 1, max: 20_000 }), fc.string())
  .map(([bracket, depth, tail]) => `{"a":${bracket.repeat(depth)}${tail}`);

const long = fc
  .tuple(
    fc.constantFrom(' ', '\n', '1', '{', '"', '\\', '\u00e9'),
    fc.integer({ min: 3000, max: 70_000 }),
  )
  .chain(([unit, count]) =>
    fc.tuple(held, fc.boolean()).map(([{ text }, inFront]) => {
      const run = unit.repeat(count);
      return inFront ? run + text : text + run;
    }),
  );

const records = held.map(({ text }) => text);
const released = token.map((each) => releasedContent('json', each));

/** Any content that a lock file may have. */
export const content: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: damaged(fc.oneof(records, released, nearly)) },
  { weight: 2, arbitrary: nearly },
  { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 200 }) },
  { weight: 1, arbitrary: fc.json({ maxDepth: 5 }) },
  { weight: 1, arbitrary: fc.stringMatching(/^\s*\d{0,12}\s*$/) },
  { weight: 1, arbitrary: deep },
  { weight: 1, arbitrary: long },
);

/** What holds of every answer, whatever was read. */
export function problemsOf(text: string, answer: Content): string[] {
  const problems: string[] = [];
  const { ours, token: stored, owner } = answer;
  if (!ours && (stored !== 0 || owner !== null)) problems.push('something is read of a stranger');
  // It may be too large to grow: taking the next one is an error.
  if (!Number.isInteger(stored) || stored < 0) problems.push(`token ${stored}`);
  if (text.length > RECORD_LIMIT && ours && !/^\s*\d*\s*$|^\{"holdfast"/.test(text)) {
    problems.push('longer than a record can be');
  }
  if (owner !== null) {
    const { pid, hostname, start, boot, since } = owner;
    if (!Number.isInteger(pid) || pid < 1 || pid > HIGHEST_PID) problems.push(`pid ${pid}`);
    if ([hostname, start, boot].some((each) => typeof each !== 'string')) problems.push('identity');
    if (since !== null && Number.isNaN(since.getTime())) problems.push('a date that is none');
    if (Object.getPrototypeOf(owner.data) !== Object.prototype) problems.push('prototype');
    // What a user is given can be printed, and given on.
    JSON.stringify(toOwnerRecord(answer));
  }
  if (Object.hasOwn(Object.prototype, 'pid')) problems.push('Object.prototype is changed');
  return problems;
}
