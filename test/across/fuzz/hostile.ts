import { spawnSync } from 'node:child_process';
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import * as claims from './claim.js';
import * as records from './record.js';

/** What somebody who may write into a folder can put there. */
export type Entry =
  | { kind: 'file'; bytes: Buffer }
  | { kind: 'giant'; size: number }
  | { kind: 'link'; to: string }
  | { kind: 'fifo' | 'device' | 'folder' | 'unreadable' };

const bytes = fc.oneof(
  { weight: 3, arbitrary: records.content.map((text) => Buffer.from(text)) },
  { weight: 2, arbitrary: claims.content.map((content) => Buffer.from(content)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }).map((each) => Buffer.from(each)) },
);
const entry: fc.Arbitrary<Entry> = fc.oneof(
  { weight: 8, arbitrary: bytes.map((each): Entry => ({ kind: 'file', bytes: each })) },
  {
    weight: 1,
    arbitrary: fc
      .integer({ min: 2 ** 16, max: 2 ** 40 })
      .map((size): Entry => ({ kind: 'giant', size })),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom('nowhere', '.', '/dev/zero', '/dev/tty', '/proc/self/mem', 'good.lock')
      .map((to): Entry => ({ kind: 'link', to })),
  },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom('fifo', 'device', 'folder', 'unreadable')
      .map((kind): Entry => ({ kind }) as Entry),
  },
);

const NEITHER = [0, 0x2f];
const name = fc
  .tuple(
    fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 40 }),
      fc.string({ minLength: 1, maxLength: 20 }).map((text) => Buffer.from(text)),
      fc.constantFrom('a\nb', '\x1b[2J', '\u202etxt', '-n', '..a').map((text) => Buffer.from(text)),
    ),
    fc.constantFrom('.lock', '.pid', '', '.lock\n'),
  )
  .map(([beginning, end]) => {
    const whole = Buffer.concat([Buffer.from(beginning), Buffer.from(end)]);
    return Buffer.from(whole.map((byte) => (NEITHER.includes(byte) ? 0x5f : byte)));
  })
  .filter((each) => !['.', '..', 'good.lock'].includes(each.toString()));

export const folder: fc.Arbitrary<[Buffer, Entry][]> = fc.array(fc.tuple(name, entry), {
  maxLength: 8,
});

/** Those that take a program to make: made once, and linked to. */
export class Specimens {
  readonly #folder = mkdtempSync(join(tmpdir(), 'holdfast-'));
  readonly #device: boolean;

  constructor() {
    spawnSync('mkfifo', [this.#pathOf('fifo')]);
    const device = spawnSync('mknod', [this.#pathOf('device'), 'c', '1', '5']);
    this.#device = device.status === 0;
  }

  #pathOf(kind: string): string {
    return join(this.#folder, kind);
  }

  /** Into `folder`; of two with one name, the first. */
  fill(folder: string, entries: [Buffer, Entry][]): void {
    for (const [name, entry] of entries) {
      const path = Buffer.concat([Buffer.from(`${folder}/`), name]);
      try {
        this.#make(path, entry);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
    }
  }

  #make(path: Buffer, entry: Entry): void {
    if (entry.kind === 'file') writeFileSync(path, entry.bytes, { flag: 'wx' });
    else if (entry.kind === 'link') symlinkSync(entry.to, path);
    else if (entry.kind === 'folder') mkdirSync(path);
    else if (entry.kind === 'giant') {
      writeFileSync(path, '{"holdfast":', { flag: 'wx' });
      truncateSync(path, entry.size);
    } else if (entry.kind === 'unreadable') writeFileSync(path, '', { flag: 'wx', mode: 0 });
    else if (entry.kind === 'fifo' || this.#device) linkSync(this.#pathOf(entry.kind), path);
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

const word = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom(')', '\n', '\0', ''),
);
const number = fc.oneof(fc.nat(), fc.constantFrom('-1', '0', '99999999999', 'x', ''));

/** A line as in the kernel's tables, or nearly one, of the file `fe:0:77` or another. */
const tableLine = fc
  .tuple(
    fc.constantFrom('', '-> ', ' -> ', 'lock:\t'),
    fc.constantFrom('FLOCK ', 'POSIX ', 'OFDLCK', 'LEASE ', 'ACCESS', 'X'),
    fc.constantFrom('READ ', 'WRITE', 'UNLCK'),
    number,
    fc.constantFrom('fe:00:77', 'fe:00:78', 'zz', 'fe:0:77:77'),
  )
  .map(
    ([arrow, kind, mode, pid, file]) => `1: ${arrow}${kind} ADVISORY  ${mode} ${pid} ${file} 0 EOF`,
  );

const stat = fc
  .tuple(number, word, fc.constantFrom('S', 'Z', 'D', ''), fc.array(number, { maxLength: 30 }))
  .map(([pid, name, state, rest]) => `${pid} (${name}) ${state} ${rest.join(' ')}`);

/** What a look at any file of /proc may give. */
export const anyText: fc.Arbitrary<string | null> = fc.oneof(
  { weight: 4, arbitrary: fc.array(tableLine, { maxLength: 6 }).map((lines) => lines.join('\n')) },
  { weight: 2, arbitrary: stat },
  { weight: 1, arbitrary: fc.array(word, { maxLength: 20 }).map((words) => words.join('\0')) },
  { weight: 1, arbitrary: fc.nat({ max: 70_000 }).map((count) => '\0'.repeat(count)) },
  { weight: 1, arbitrary: word },
  { weight: 1, arbitrary: fc.constant(null) },
);
export const anyList: fc.Arbitrary<string[] | null> = fc.option(
  fc.array(fc.oneof(number.map(String), word), { maxLength: 12 }),
);
