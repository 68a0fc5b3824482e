import { closeSync, openSync, readlinkSync } from 'node:fs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { inspectCaller, nonblockingStreams, UNKNOWN_CALLER } from '../../src/cli/caller.js';
import { EXIT } from '../../src/cli/exit-codes.js';
import {
  bytesOf,
  commandLine,
  decode,
  isEscaped,
  variable,
  wellFormed,
} from '../../src/cli/words.js';
import { call } from '../support/command.js';
import { lockPath } from '../support/folder.js';

// The rest, of real callers, is in flock-replay-inherited.test.ts.

const onLinux = test.runIf(process.platform === 'linux');

describe('words', () => {
  const cafe = Buffer.from('caf\xe9-\xc3\xa9', 'latin1');

  test('that are not UTF-8 become strings and the same bytes again', () => {
    const word = decode(cafe);
    expect(word).toBe('caf\udce9-é');
    expect(isEscaped(word)).toBe(true);
    expect(bytesOf(word)).toEqual(cafe);
    expect(bytesOf(`${word}/{id}`.replace('{id}', '7'))).toEqual(
      Buffer.concat([cafe, Buffer.from('/7')]),
    );
    expect(wellFormed(word)).toBe('caf\ufffd-é');
  });

  test('cut in the middle of a character as well', () => {
    for (const bytes of [[0xf0, 0x9f, 0x98], [0x80], [0xff, 0x41], [0xc3], [0xed, 0xa0, 0x80]]) {
      expect(bytesOf(decode(Buffer.from(bytes)))).toEqual(Buffer.from(bytes));
    }
  });

  test('that are UTF-8 stay as they are', () => {
    expect(decode(Buffer.from('né😀'))).toBe('né😀');
    expect([bytesOf('né😀'), isEscaped('né😀')]).toEqual(['né😀', false]);
    expect(commandLine(['run', 'né'])).toEqual(['run', 'né']);
  });

  onLinux('whose bytes cannot be read back are refused', () => {
    const refusal = expect.objectContaining({ code: EXIT.usage });
    expect(() => commandLine(['not\ufffdthis'])).toThrow(refusal);
    // This process's.
    expect(commandLine([])).toEqual([]);
  });

  onLinux('a variable of the environment', () => {
    process.env['HOLDFAST_TEST_WORD'] = 'né';
    onTestFinished(() => {
      delete process.env['HOLDFAST_TEST_WORD'];
    });
    expect(variable('HOLDFAST_TEST_WORD')).toBe('né');
    // It was not there when this process began.
    process.env['HOLDFAST_TEST_WORD'] = '\ufffd';
    expect(variable('HOLDFAST_TEST_WORD')).toBe('\ufffd');
    expect(variable('HOLDFAST_TEST_NONE')).toBe('');
  });
});

describe('the caller', () => {
  onLinux('is seen: what it passed, and not the runtime’s own', () => {
    const fd = openSync('/dev/null', 'r');
    onTestFinished(() => closeSync(fd));
    const { descriptors, ignored, blocked, mostFiles, nonblocking, removed } = inspectCaller();
    for (const each of descriptors) {
      expect(each).toBeGreaterThan(2);
      expect(readlinkSync(`/proc/self/fd/${each}`)).not.toMatch(/eventpoll|eventfd|io_uring/);
    }
    // Node resets them.
    expect([ignored, blocked]).toEqual([[], []]);
    expect(mostFiles).toBeGreaterThanOrEqual(-1);
    expect(nonblocking).toBe(nonblockingStreams());
    // The channel to vitest is in use here.
    expect(removed.every((each) => each.startsWith('NODE_CHANNEL_'))).toBe(true);
  });

  test('is not known on other systems', () => {
    const { platform } = process;
    Object.defineProperty(process, 'platform', { value: 'darwin' });
    onTestFinished(() => void Object.defineProperty(process, 'platform', { value: platform }));
    expect(inspectCaller()).toBe(UNKNOWN_CALLER);
  });
});

test('where the addon starts no programs, Node does', async () => {
  const path = lockPath();
  // The first lock loads the addon of the system that this is.
  expect(await call('run', path, 'true')).toMatchObject({ code: 0 });
  const { platform } = process;
  Object.defineProperty(process, 'platform', { value: 'darwin' });
  onTestFinished(() => void Object.defineProperty(process, 'platform', { value: platform }));
  expect(await call('run', path, 'sh', '-c', 'exit 7')).toMatchObject({ code: 7 });
  const killed = ['sh', '-c', 'ulimit -c 0; kill -9 $$'];
  expect(await call('run', path, ...killed)).toMatchObject({ code: 137 });
  expect(await call('run', path, './nowhere/at/all')).toMatchObject({ code: EXIT.unavailable });
});
