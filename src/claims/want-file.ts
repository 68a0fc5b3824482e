import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readdirSync,
  statSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { readBounded } from '../base/bounded.js';
import { temporaryName } from '../base/temporary-name.js';
import { probe } from '../holders/lock-file.js';
import { FileLock } from '../lock/file-lock.js';
import { SHARED } from '../native/binding.js';
import { isMissing, removeIfThere } from './missing.js';
import type { Claimed } from './model.js';
import { parseParts } from './parts.js';
import { formatParts } from './parts-text.js';
import type { Root } from './root.js';
import type { Want } from './wants.js';

/** A request of a want, as its file has it. */
export interface WantedScope extends Claimed {
  /** The agent that its agent works for. */
  readonly parent: string | null;
}

/** What somebody waits for, as it was read from its file. */
export interface FoundWant extends Want {
  /** The smallest is the oldest. */
  readonly order: number;
  /** Absolute. Its waiter holds the lock of it. */
  readonly file: string;
  readonly requests: readonly WantedScope[];
  readonly since: Date;
}

// `7-0123456789abcdef.want`: it does not end in `.lock`, so it is no claim.
const NAME = /^(\d{1,15})-[0-9a-f]{16}\.want$/;
/** In bytes. Enough for claimAll with thousands of scopes. */
const LIMIT = 16 * 1024 * 1024;
const WRITABLE = constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** A waiter looks each second. One that has not looked for this long is stopped. */
export const STALE_MILLISECONDS = 10_000;

export function isWantName(name: string): boolean {
  return NAME.test(name);
}

/** What is waited for in a folder of claims. */
export class WantFiles {
  readonly #folder: string;
  readonly #root: Root;
  /** A want is written once. `null`: it cannot be parsed. */
  readonly #parsed = new Map<string, Pick<FoundWant, 'requests' | 'since'> | null>();

  constructor(folder: string, root: Root) {
    this.#folder = folder;
    this.#root = root;
  }

  /**
   * The wants whose waiters live, the oldest first, but for `own`. In the
   * exclusive section it also removes those whose waiters have ended.
   */
  read({ own, exclusive }: { own: string | null; exclusive: boolean }): FoundWant[] {
    const names = readdirSync(this.#folder).filter(isWantName);
    for (const name of this.#parsed.keys()) if (!names.includes(name)) this.#parsed.delete(name);
    const clock = new FolderClock(exclusive ? this.#folder : null);
    return names
      .map((name) => ({ name, order: orderOf(name) }))
      .sort((a, b) => a.order - b.order || (a.name < b.name ? -1 : 1))
      .map(({ name, order }) => {
        const file = join(this.#folder, name);
        if (file === own) return null;
        if (!isLocked(file)) {
          // Its waiter has ended, or is just taking it back.
          if (exclusive) removeIfThere(file);
          return null;
        }
        const content = this.#content(name, file);
        const touched = statSync(file, { throwIfNoEntry: false })?.mtimeMs;
        if (content === null || touched === undefined) return null;
        return { ...content, order, file, stale: clock.isStale(touched) };
      })
      .filter((each) => each !== null);
  }

  /** Above every other one, whether its waiter lives or not. */
  nextOrder(): number {
    const orders = readdirSync(this.#folder).filter(isWantName).map(orderOf);
    return orders.reduce((most, each) => Math.max(most, each), 0) + 1;
  }

  #content(name: string, file: string): Pick<FoundWant, 'requests' | 'since'> | null {
    let content = this.#parsed.get(name);
    if (content === undefined) {
      content = this.#parse(file);
      this.#parsed.set(name, content);
    }
    return content;
  }

  #parse(file: string): Pick<FoundWant, 'requests' | 'since'> | null {
    try {
      const { since, requests } = JSON.parse(readBounded(file, LIMIT).toString());
      return {
        since: new Date(since),
        requests: (requests as Record<string, unknown>[]).map((each) => ({
          agent: String(each['agent']),
          parts: parseParts(each, this.#root),
          task: typeof each['task_description'] === 'string' ? each['task_description'] : null,
          expiresAt: null,
          pid: null,
          parent: typeof each['parent'] === 'string' ? each['parent'] : null,
        })),
      };
    } catch {
      // Somebody has edited it. It stops nobody; its waiter goes on without it.
      return null;
    }
  }
}

/**
 * A want of this process. Its file is locked, so it ends with the process; and
 * it is written to at each look, so others see when its process is stopped.
 */
export class OwnWant {
  readonly order: number;
  readonly file: string;
  readonly #lock: FileLock;
  readonly #size: number;

  /** Call it in the exclusive section, so that readers never see it without its lock. */
  constructor(folder: string, order: number, requests: readonly Claimed[], since: Date) {
    this.order = order;
    this.file = join(folder, `${order}-${randomBytes(8).toString('hex')}.want`);
    const text = formatWant(requests, since);
    this.#size = Buffer.byteLength(text);
    const lock = FileLock.tryAcquire(this.file, { record: false, permissions: 0o666 });
    if (lock === null) throw new Error(`internal error, please report it: ${this.file} is locked`);
    this.#lock = lock;
    try {
      writeFileSync(this.file, text, { flag: WRITABLE } as { flag: never });
    } catch (error) {
      this.leave();
      throw error;
    }
  }

  /**
   * Shows that its waiter runs. False: the file is gone, removed with the
   * folder or by a person.
   */
  touch(): boolean {
    if (!this.#lock.isCurrent()) return false;
    try {
      // By a write: the file system sets the time by its own clock.
      const fd = openSync(this.file, WRITABLE);
      try {
        writeSync(fd, '\n', this.#size - 1);
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      if (isMissing(error)) return false;
      // A full disk may refuse even that.
      const now = new Date();
      utimesSync(this.file, now, now);
    }
    return true;
  }

  /** Waiters behind it look again as soon as the lock is free. */
  leave(): void {
    if (this.#lock.isCurrent()) removeIfThere(this.file);
    this.#lock.releaseSync();
  }
}

/** Whether its waiter has certainly looked a moment ago. */
export function isFresh({ file }: FoundWant): boolean {
  const touched = statSync(file, { throwIfNoEntry: false })?.mtimeMs;
  return touched !== undefined && Math.abs(Date.now() - touched) < STALE_MILLISECONDS / 2;
}

function orderOf(name: string): number {
  return Number((NAME.exec(name) as RegExpExecArray)[1]);
}

function isLocked(file: string): boolean {
  try {
    return probe(file, SHARED) === 'held';
  } catch {
    // One that cannot be opened may well be alive.
    return true;
  }
}

function formatWant(requests: readonly Claimed[], since: Date): string {
  const texts = requests.map((request) => {
    const { agent, parts, task } = request;
    const { parent = null } = request as Partial<WantedScope>;
    const { files, directories, except, details } = formatParts(parts);
    return {
      agent,
      files,
      ...(directories.length > 0 && { directories }),
      ...(except.length > 0 && { except }),
      ...(task !== null && { task_description: task }),
      ...(details !== null && { parts: details }),
      ...(parent !== null && { parent }),
    };
  });
  const agents = requests.map(({ agent }) => agent);
  return `${JSON.stringify({ agents, since: since.toISOString(), requests: texts })}\n`;
}

/**
 * The clock that the folder's file system writes times by: another host's may
 * differ. Without a folder, this machine's.
 */
class FolderClock {
  readonly #folder: string | null;
  #ahead: number | undefined;

  constructor(folder: string | null) {
    this.#folder = folder;
  }

  isStale(touched: number): boolean {
    // Our own clock is asked first: where it is not far off, most are decided by it.
    if (Math.abs(Date.now() - touched) < STALE_MILLISECONDS / 2) return false;
    this.#ahead ??= this.#measure();
    // In the future: the clock was set back since, and its waiter has not looked.
    return Math.abs(Date.now() + this.#ahead - touched) >= STALE_MILLISECONDS;
  }

  /** How far it is ahead of our own. */
  #measure(): number {
    if (this.#folder === null) return 0;
    const file = join(this.#folder, temporaryName('.tmp'));
    try {
      const fd = openSync(file, 'wx');
      try {
        return fstatSync(fd).mtimeMs - Date.now();
      } finally {
        closeSync(fd);
        removeIfThere(file);
      }
    } catch {
      // The folder cannot be written to.
      return 0;
    }
  }
}
