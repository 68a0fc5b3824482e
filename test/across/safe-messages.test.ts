import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { oneLine } from '../../src/base/holder.js';
import { Claims } from '../../src/claims.js';
import { Election } from '../../src/election.js';
import { FileLock, inspect, withLock } from '../../src/index.js';
import { InstanceLock } from '../../src/instance.js';
import { withNextId } from '../../src/next-id.js';
import { Slots } from '../../src/slots.js';
import { updateJson } from '../../src/update.js';
import { call } from '../support/command.js';
import { testFolder } from '../support/folder.js';

// Clears the line, begins another one, and shows the rest backwards.
const HOSTILE = '\x1b[2K\rok\nholdfast: all is well\x9b31m\u202e';
// As a terminal would show it.
const CONTROL = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

/** A folder whose name is hostile. */
function hostileFolder(): string {
  const folder = join(testFolder(), HOSTILE);
  mkdirSync(folder);
  return folder;
}

describe('a path with control characters', () => {
  const failures: Record<string, (folder: string) => unknown> = {
    'a folder is a file': (folder) => {
      writeFileSync(join(folder, 'file'), '');
      return FileLock.acquire(join(folder, 'file', 'x.lock'));
    },
    'a folder is a link to nowhere': (folder) => {
      symlinkSync('nowhere', join(folder, 'link'));
      return FileLock.acquire(join(folder, 'link', 'x.lock'));
    },
    'a folder cannot be created': () => FileLock.acquire(join('/proc/1', HOSTILE, 'x')),
    'a symbolic link': (folder) => {
      symlinkSync('target', join(folder, 'x.lock'));
      return FileLock.acquire(join(folder, 'x.lock'));
    },
    'a name that is too long': (folder) => FileLock.acquire(join(folder, 'x'.repeat(256))),
    held: async (folder) => {
      using lock = FileLock.acquireSync(join(folder, 'x.lock'));
      await FileLock.acquire(lock.path, { timeout: 0 });
    },
    'held for too long': async (folder) => {
      using lock = FileLock.acquireSync(join(folder, 'x.lock'));
      await FileLock.acquire(lock.path, { timeout: 1 });
    },
    'waited for by itself': async (folder) => {
      using lock = FileLock.acquireSync(join(folder, 'x.lock'));
      FileLock.acquireSync(lock.path, { timeout: 1000 });
    },
    'held by another instance': async (folder) => {
      using lock = InstanceLock.acquireSync(join(folder, 'x.lock'), { name: HOSTILE });
      InstanceLock.acquireSync(lock.path, { name: HOSTILE });
    },
    'not a path': (folder) => FileLock.acquire(`${folder}\0`),
    'an option': (folder) => withLock(join(folder, 'x'), { [HOSTILE]: 1 } as object, () => {}),
    'inspect below a file': (folder) => {
      writeFileSync(join(folder, 'file'), '');
      return inspect(join(folder, 'file', 'x'));
    },
    'a counter': (folder) => {
      writeFileSync(join(folder, '.next-id.lock.last'), 'no number');
      return withNextId(folder, async () => {});
    },
    'no id': (folder) => {
      mkdirSync(join(folder, `a1-${HOSTILE}-2`));
      return withNextId(folder, async () => {});
    },
    'a file in place of a folder of ids': (folder) => {
      writeFileSync(join(folder, 'file'), '');
      return withNextId(join(folder, 'file'), async () => {});
    },
    'a file in place of an election': (folder) => {
      writeFileSync(join(folder, 'file'), '');
      return Election.join(join(folder, 'file'));
    },
    'JSON that is none': (folder) => {
      writeFileSync(join(folder, 'x.json'), '{');
      return updateJson(join(folder, 'x.json'), () => ({}));
    },
    'a folder in place of a JSON file': (folder) => updateJson(folder, () => ({})),
    'slots that are taken': async (folder) => {
      const slots = new Slots(join(folder, 'slots'), { slots: 1 });
      const slot = await slots.acquire();
      await slots.acquire({ timeout: 0 }).finally(() => slot.release());
    },
    'a claim of another agent': async (folder) => {
      const claims = new Claims(join(folder, 'claims'));
      await claims.claim({ agent: 'one', files: [HOSTILE], taskDescription: HOSTILE });
      await claims.claim({ agent: 'two', files: [HOSTILE] });
    },
    'a file in place of claims': (folder) => {
      writeFileSync(join(folder, 'file'), '');
      return new Claims(join(folder, 'file')).claim({ agent: 'one', files: ['a'] });
    },
  };

  test.each(Object.entries(failures))('does not get into the message: %s', async (_, fail) => {
    const folder = hostileFolder();
    const error: unknown = await Promise.resolve()
      .then(() => fail(folder))
      .then(
        () => null,
        (thrown) => thrown,
      );
    expect(error).toBeInstanceOf(Error);
    const { message, path, stack = '' } = error as Error & { path?: string };
    expect(message).not.toMatch(CONTROL);
    // The head of the stack is what Node prints of an error that nobody catches.
    expect(stack.slice(0, stack.indexOf('\n    at '))).not.toMatch(CONTROL);
    if (path !== undefined) expect(path).toContain(HOSTILE);
  });

  test('is shown as JavaScript writes it', () => {
    const joined = ['\u{1f469}\u200d\u{1f4bb}', '\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645'];
    for (const name of joined) expect(oneLine(name)).toBe(name);
    expect(oneLine(`a${HOSTILE}\u{e0001}\t\u2028é\\`)).toBe(
      'a\\x1b[2K\\rok\\nholdfast: all is well\\x9b31m\\u202e\\u{e0001}\\t\\u2028é\\\\'.slice(0, -1),
    );
  });
});

describe('the command', () => {
  let folder: string;
  let warnings: string[];
  const note = ({ message }: Error): void => void warnings.push(message);
  beforeEach(() => {
    folder = hostileFolder();
    warnings = [];
    process.on('warning', note);
  });
  afterEach(() => void process.off('warning', note));

  const commands: Record<string, (folder: string) => string[]> = {
    'run a lock that is held': (folder) => ['run', '-n', join(folder, 'held.lock'), 'true'],
    'run on a link': (folder) => ['run', join(folder, 'link'), 'true'],
    'run below a file': (folder) => ['run', join(folder, 'file', 'x'), 'true'],
    'run below what cannot be created': (folder) => ['run', `/proc/1${folder}/x`, 'true'],
    'run what is not there': (folder) => ['run', join(folder, 'x'), HOSTILE],
    'run with an option': () => ['run', `--${HOSTILE}`, 'x', 'true'],
    'run --also what is held': (folder) => [
      ...['run', '-n', '--also', join(folder, 'held.lock')],
      ...[join(folder, 'x'), 'true'],
    ],
    'run --slots': (folder) => ['run', '-n', '--slots', '1', join(folder, 'slots'), 'true'],
    'run --instance': (folder) => ['run', '--instance', HOSTILE, join(folder, 'held.lock'), 'true'],
    status: (folder) => ['status', join(folder, 'held.lock'), join(folder, 'none'), folder],
    'status below a file': (folder) => ['status', join(folder, 'file', 'x')],
    doctor: (folder) => ['doctor', folder],
    'doctor of no folder': (folder) => ['doctor', join(folder, 'none')],
    'next-id of no folder': (folder) => ['next-id', join(folder, 'file')],
    'next-id with a pattern': (folder) => ['next-id', '--pattern', `(${HOSTILE}`, folder],
    'elect below a file': (folder) => ['elect', join(folder, 'file'), 'true'],
    'elect status': (folder) => ['elect', 'status', folder],
    'claim list': (folder) => ['claim', 'list', '--dir', join(folder, 'claims')],
    'claim add': (folder) => [
      'claim',
      'add',
      '--dir',
      join(folder, 'claims'),
      '--agent',
      'two',
      HOSTILE,
    ],
    'claim check': (folder) => [
      'claim',
      'check',
      '--dir',
      join(folder, 'claims'),
      '--agent',
      'two',
      HOSTILE,
    ],
    'claim with an action': () => ['claim', HOSTILE],
    'claim release': (folder) => [
      'claim',
      'release',
      '--dir',
      join(folder, 'claims'),
      '--agent',
      HOSTILE,
    ],
    'claim set-aside': (folder) => ['claim', 'set-aside', '--dir', join(folder, 'claims'), HOSTILE],
    'claim plan': (folder) => ['claim', 'plan', join(folder, 'plan.json')],
    'claim plan of no file': (folder) => ['claim', 'plan', join(folder, 'none')],
    'claim add to no folder': (folder) => ['claim', 'add', '--dir', join(folder, 'file'), 'x'],
    'a word': () => [HOSTILE],
    help: () => ['help', HOSTILE],
    completion: () => ['completion', HOSTILE],
  };

  test.each(Object.entries(commands))('shows no control characters: %s', async (_, words) => {
    using held = FileLock.acquireSync(join(folder, 'held.lock'), { data: { [HOSTILE]: HOSTILE } });
    symlinkSync('held.lock', join(folder, 'link'));
    writeFileSync(join(folder, 'file'), '');
    writeFileSync(join(folder, `1${HOSTILE}2`), '');
    const request = { agent: HOSTILE, files: [HOSTILE], [HOSTILE]: 1 };
    writeFileSync(join(folder, 'plan.json'), JSON.stringify([request, { ...request, agent: 'b' }]));
    await using _slot = await new Slots(join(folder, 'slots'), { slots: 1 }).acquire();
    await new Claims(join(folder, 'claims')).claim({
      agent: 'one',
      files: [HOSTILE],
      taskDescription: HOSTILE,
    });
    const { stdout, stderr } = await call(...words(folder));
    expect(held.held).toBe(true);
    for (const line of `${stdout}${stderr}`.split('\n')) expect(line).not.toMatch(CONTROL);
    for (const line of stderr.split('\n')) expect(line).not.toMatch(/^holdfast: all is well/);
    expect(warnings.join('')).not.toMatch(CONTROL);
  });
});
