import { hostname } from 'node:os';
import { describe, expect, test } from 'vitest';
import { describeHolder } from '../../src/base/holder.js';
import {
  checkData,
  heldContent,
  parseContent,
  RECORD_LIMIT,
  releasedContent,
  toOwnerRecord,
} from '../../src/holders/owner-record.js';
import { ownIdentity, type ProcessIdentity } from '../../src/holders/process-identity.js';
import { nextToken } from '../../src/holders/token.js';

const NOT_OURS = { ours: false, token: 0, owner: null };
const SINCE = new Date('2026-02-25T10:30:00.000Z');

/** A record as another process may have left it. */
function record(changes: Partial<ProcessIdentity> & { token?: unknown } = {}): string {
  const { pid, token = 7, ...identity } = { ...ownIdentity(), ...changes };
  return `${JSON.stringify({
    pid,
    startedAt: SINCE.toISOString(),
    port: 80,
    holdfast: { ...identity, token },
  })}\n`;
}

const owner = (text: string) => toOwnerRecord<{ port: number }>(parseContent(text));

describe('what is written', () => {
  test('is the documented JSON, one line, and is read back', () => {
    const text = heldContent(
      'json',
      SINCE.getTime(),
      1772015400000000,
      checkData({ port: 80, a: ['b'] }),
    );
    const { start, boot } = ownIdentity();
    expect(text).toBe(
      `{"pid":${process.pid},"startedAt":"2026-02-25T10:30:00.000Z","port":80,"a":["b"],` +
        `"holdfast":{"hostname":${JSON.stringify(hostname())},"start":"${start}","boot":"${boot}","token":1772015400000000}}\n`,
    );
    expect(owner(text)).toEqual({
      pid: process.pid,
      since: SINCE,
      hostname: hostname(),
      token: 1772015400000000,
      data: { port: 80, a: ['b'] },
      running: true,
    });
  });

  test('as a pid is the pid alone', () => {
    expect(heldContent('pid', SINCE.getTime(), 5, checkData({ port: 80 }))).toBe(
      `${process.pid}\n`,
    );
    expect(owner(`${process.pid}\n`)).toEqual({
      pid: process.pid,
      since: null,
      hostname: null,
      token: 0,
      data: {},
      running: null,
    });
  });

  test('on release is the token alone, or nothing, and no holder is read from it', () => {
    expect(releasedContent('json', 9)).toBe('{"holdfast":{"token":9}}\n');
    expect(releasedContent('pid', 9)).toBe('');
    expect(parseContent('{"holdfast":{"token":9}}\n')).toEqual({
      ours: true,
      token: 9,
      owner: null,
    });
    expect(parseContent('')).toEqual({ ours: true, token: 0, owner: null });
  });

  test('is ours and complete at no shorter length', () => {
    const text = heldContent(
      'json',
      SINCE.getTime(),
      1772015400000000,
      checkData({ port: 80, deep: { a: [1] } }),
    );
    for (let length = 1; length < text.length - 1; length++) {
      expect(parseContent(text.slice(0, length))).toEqual(NOT_OURS);
    }
    expect(parseContent(text.slice(0, -1))).toEqual(parseContent(text));
  });

  test('is ours as well while newlines stand where longer content was', () => {
    const text = heldContent('json', SINCE.getTime(), 5, '');
    expect(parseContent(text + '\n'.repeat(500))).toEqual(parseContent(text));
    const left = releasedContent('json', 5);
    expect(parseContent(left + '\n'.repeat(500))).toEqual(parseContent(left));
    expect(parseContent(`4711\n${'\n'.repeat(500)}`)).toEqual(parseContent('4711\n'));
  });
});

describe('what is read', () => {
  test.each([
    ['null', 'null'],
    ['a number too long for a pid', '12345678901\n'],
    ['a pid above the highest', '2147483648\n'],
    ['a fraction', '12.5\n'],
    ['a hexadecimal number', '0x10\n'],
    ['a pid and a name', '4711 nginx\n'],
    ['blanks', '  \n'],
    ['NULs', '\0\0\0'],
    ['a NUL after a record', `${record()}\0`],
    ['an empty object', '{}'],
    ['a holdfast that is no object', '{"holdfast":5}'],
    ['a holdfast that is null', '{"pid":1,"holdfast":null}'],
    ['a holdfast that is an array', '{"holdfast":[]}'],
    ['fields without a pid', '{"name":"x","holdfast":{"token":5}}'],
    ['a pid that is a string', record().replace(/"pid":\d+/, '"pid":"1"')],
    ['a pid of 0', record({ pid: 0 })],
    ['a negative pid', record({ pid: -1 })],
    ['a fractional pid', record({ pid: 1.5 })],
    ['a huge pid', record({ pid: 2 ** 31 })],
    ['no date', record().replace(/"startedAt":"[^"]*"/, '"startedAt":"yesterday"')],
    ['a date that is a number', record().replace(/"startedAt":"[^"]*"/, '"startedAt":5')],
    ['a hostname that is a number', record({ hostname: 5 as never })],
    ['a start that is missing', record({ start: undefined as never })],
    ['a token that is a string', record({ token: '7' })],
    ['a token that is negative', record({ token: -7 })],
    ['a token that is a fraction', record({ token: 7.5 })],
    ['a token that is null', record({ token: null })],
    ['no token', record().replace(',"token":7', '')],
    ['an unclosed depth', `{"a":${'['.repeat(60_000)}`],
    ['more than 64 KiB', record().replace('80', `"${'x'.repeat(RECORD_LIMIT)}"`)],
    ['a replacement character', '\ufffd'],
  ])('%s is not ours', (_, text) => {
    expect(parseContent(text)).toEqual(NOT_OURS);
    expect(owner(text)).toBeNull();
  });

  test('a token that cannot grow is read, and nothing follows it', () => {
    for (const token of [Number.MAX_SAFE_INTEGER, 2 ** 53, 1e16, 1e40, 1e300]) {
      const content = parseContent(record({ token }));
      expect(content).toMatchObject({ ours: true, token, owner: { pid: process.pid } });
      const alone = parseContent(`{"holdfast":{"token":${token}}}\n`);
      expect(alone).toEqual({ ours: true, token, owner: null });
      expect(() => nextToken(token, '/a.lock')).toThrow(
        expect.objectContaining({ code: 'ERR_LOCK_STATE', path: '/a.lock' }),
      );
    }
  });

  test('names that JavaScript gives a meaning to are plain data', () => {
    const text = record().replace(
      '"port":80',
      '"__proto__":{"pid":5},"constructor":1,"toString":2',
    );
    const { data, pid } = owner(text) ?? {};
    expect(pid).toBe(process.pid);
    expect(Object.getPrototypeOf(data)).toBe(Object.prototype);
    expect(Object.keys(data ?? {})).toEqual(['__proto__', 'constructor', 'toString']);
    expect(({} as { pid?: number }).pid).toBeUndefined();
  });

  test('a whole record followed by the rest of a long one keeps its token', () => {
    const torn = `{"holdfast":{"token":1772015400000000}}\n${'\n'.repeat(4056)}${'x'.repeat(900)}"}\n`;
    expect(parseContent(torn)).toMatchObject({ ours: true, token: 1772015400000000 });
  });
});

describe('running', () => {
  const self = ownIdentity();
  const [ticks, namespace] = self.start.split('@');
  test.each<[string, Partial<ProcessIdentity>, boolean | null]>([
    ['this very process', {}, true],
    ['a pid that is somebody else by now', { start: `${Number(ticks) - 1}@${namespace}` }, false],
    ['a pid that nobody has', { pid: 2 ** 31 - 1 }, false],
    ['a process before the last boot', { boot: '00000000-0000-0000-0000-000000000000' }, false],
    ['a process on another machine', { hostname: 'elsewhere' }, null],
    ['a process of another pid namespace', { start: `${ticks}@1` }, null],
    ['a process without a boot id', { boot: '' }, null],
    ['a living pid without a start time', { start: '', boot: '', hostname: '' }, null],
    ['a dead pid without one', { start: '', boot: '', hostname: '', pid: 2 ** 31 - 1 }, false],
    ['an absurd start time', { start: 'x@y@z' }, null],
  ])('%s', (_, changes, running) => {
    expect(owner(record(changes))?.running).toBe(running);
  });
});

describe('tokens', () => {
  test('grow from what is stored, and are as good as the clock without', () => {
    const before = Date.now() * 1000 - 5000;
    const token = nextToken(0, '/a.lock');
    expect(token).toBeGreaterThan(before);
    expect(token).toBeLessThan(Date.now() * 1000 + 5000);
    const future = token + 1e12;
    expect(nextToken(future, '/a.lock')).toBe(future + 1);
    const last = Number.MAX_SAFE_INTEGER;
    expect(nextToken(last - 1, '/a.lock')).toBe(last);
  });
});

describe('a holder in a message', () => {
  const holder = {
    pid: 5,
    self: false,
    source: 'record',
    verified: false,
    inOtherContainer: false,
    since: null,
    command: null,
    data: null,
  } as const;

  test('is one printable line, whatever its record says', () => {
    const hostile = { ...holder, hostname: 'a\n\u001b[31mb\u202e\u0007' };
    expect(describeHolder(hostile)).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    expect(describeHolder({ ...holder, hostname: 'h'.repeat(60_000) }).length).toBeLessThan(1000);
  });

  test('of the future has not held for a negative time', () => {
    const since = new Date(Date.now() + 60_000);
    expect(describeHolder({ ...holder, hostname: null, since })).not.toMatch(/-\d/);
  });
});
