import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  checkData,
  heldContent,
  parseContent,
  releasedContent,
} from '../../src/holders/owner-record.js';
import { FileLock } from '../../src/index.js';
import { lockPath } from '../support/folder.js';

// What a SIGKILL, a power loss or a full disk can leave of a write.

const SINCE = Date.parse('2026-02-25T10:30:00.000Z');

const TOKEN = 1772015400000000;

/** Each state of the file between the old content and the new one. */
function tears(old: string, text: string): string[] {
  const states: string[] = [];
  for (let length = 0; length <= text.length; length++) {
    states.push(text.slice(0, length) + old.slice(length), text.slice(0, length));
  }
  return states;
}

const CONTENTS = {
  nothing: '',
  'a token': releasedContent('json', TOKEN - 7),
  'a pid': '4711\n',
  'a record': heldContent('json', SINCE - 60_000, TOKEN - 7, ''),
  'a longer record': heldContent(
    'json',
    SINCE - 60_000,
    TOKEN - 7,
    checkData({ a: 'x'.repeat(90) }),
  ),
};

const NEW = {
  'a record': heldContent('json', SINCE, TOKEN, checkData({ port: 80, name: '\u00e9' })),
  'a token': releasedContent('json', TOKEN),
  'a pid': '31337\n',
};

describe('a write torn at each byte', () => {
  const cases = Object.keys(CONTENTS).flatMap((old) =>
    Object.keys(NEW).map((text) => [text, old] as const),
  );

  test.each(cases)('of %s over %s names one of their holders, or nobody', (text, old) => {
    const [after, before] = [NEW[text as keyof typeof NEW], CONTENTS[old as keyof typeof CONTENTS]];
    const known = [parseContent(before), parseContent(after)];
    const owners = known.map(({ owner }) => owner?.pid);
    const seen = new Set<number>();
    for (const state of tears(before, after)) {
      const content = parseContent(state);
      const { ours, token, owner } = content;
      if (!ours) expect(content).toEqual({ ours: false, token: 0, owner: null });
      // A number that was cut short is a number: pids are for people.
      if (/^\s*\d+\s*$/.test(state)) continue;
      // Of two tokens that share the page the digits may mix, but never to a
      // smaller one than the last.
      if (token !== 0) expect(token).toBeGreaterThanOrEqual(known[0]?.token ?? 0);
      if (owner !== null) seen.add(owner.pid);
    }
    expect(owners).toEqual(expect.arrayContaining([...seen]));
  });

  test('never keeps the next one from locking, nor is it taken for a holder', {
    tags: ['long'],
  }, () => {
    const path = lockPath();
    const [before, after] = [CONTENTS['a longer record'], NEW['a record']];
    for (const state of tears(before, after)) {
      writeFileSync(path, state);
      const { ours, token } = parseContent(state);
      using lock = FileLock.acquireSync(path);
      expect(lock.held).toBe(true);
      expect(lock.token).toBeGreaterThan(token);
      if (ours) {
        expect(parseContent(readFileSync(path, 'utf8')).owner?.pid).toBe(process.pid);
        const pid = lock.previous?.pid ?? process.pid;
        expect(pid).toBe(process.pid);
      } else {
        expect(lock.previous).toBeNull();
        expect(readFileSync(path, 'utf8')).toBe(state);
      }
    }
  });

  test('of several pages is still ours, wherever it is cut', () => {
    const path = lockPath();
    const big = (letter: string, size: number): string =>
      heldContent('json', SINCE, TOKEN, checkData({ a: letter.repeat(size) }));
    const [before, after] = [big('x', 20_000), big('y', 14_000)];
    for (let length = 4096; length < after.length; length += 4096) {
      for (const state of [after.slice(0, length) + before.slice(length), after.slice(0, length)]) {
        writeFileSync(path, state);
        expect(parseContent(state)).toMatchObject({ ours: true });
        FileLock.acquireSync(path).releaseSync();
        expect(parseContent(readFileSync(path, 'utf8'))).toMatchObject({ ours: true, owner: null });
      }
    }
  });
});
