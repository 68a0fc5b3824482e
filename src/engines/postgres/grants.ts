import { onAbort } from '../../base/abort.js';
import type { LockMode } from '../../base/locker.js';
import type { About } from './comment.js';
import { FIRST, NOTHING } from './comment.js';
import type { Key } from './key.js';
import { CANCELLED, DEADLOCK, LOCK_TIMEOUT, sqlState } from './server-errors.js';
import type { Session } from './session.js';
import {
  ownedStatement,
  TOKEN_STATEMENT,
  tryStatement,
  unlockStatement,
  waitStatement,
} from './statements.js';

/** A lock that somebody wants. */
export interface Want {
  readonly name: string;
  readonly key: Key;
  readonly mode: LockMode;
}

/** The token, or `null` where the lock is not free. The session counts the use already. */
export async function tryLock(session: Session, want: Want): Promise<number | null> {
  const about = (): About => {
    if (session.holds.size > 0) return NOTHING;
    if (session.useCount === 1) return FIRST;
    // Another one may have been granted, and not be among the holds yet.
    return { ...NOTHING, name: want.name, since: new Date() };
  };
  try {
    const { token } = await session.query(tryStatement(want.key, want.mode), { about });
    return token === null ? null : Number(token);
  } catch (error) {
    await clear(session, want, error as Error);
    throw error;
  }
}

// The holder may wait for us in the same session (CREATE INDEX CONCURRENTLY does).
// That the server has ended our statement lets it go on.
const SLICE_ENDS = new Set([LOCK_TIMEOUT, DEADLOCK]) as ReadonlySet<string | undefined>;

export interface Slice {
  readonly milliseconds: number;
  /** How long the server may be silent beyond that. */
  readonly patience: number;
  readonly signal: AbortSignal;
  /** Makes the server end the statement of `session`; resolves when it was told to. */
  cancel(session: Session): Promise<void>;
}

/**
 * Waits on a session that does nothing else. `null` when the time is over or
 * the signal aborted; then nothing is held.
 *
 * A grant may come with an error:
 *   1. We wait in pg_advisory_lock().
 *   2. The holder unlocks; the server grants us the lock.
 *   3. `lock_timeout` fires, or the cancel arrives, before the statement has
 *      ended: the answer is 55P03 or 57014.
 *   4. The session has the lock, as no error takes back a session's lock, and
 *      everybody else waits for a session that believes it has nothing.
 * So after any error the server is asked what the session has.
 */
export async function waitLock(
  session: Session,
  want: Want,
  { milliseconds, patience, signal, cancel }: Slice,
): Promise<number | null> {
  let cancelling: Promise<void> | undefined;
  const unlisten = onAbort(signal, () => {
    cancelling = cancel(session);
  });
  try {
    const { token } = await session.query(waitStatement(want.key, want.mode, milliseconds), {
      about: () => ({ ...NOTHING, name: want.name, waits: true }),
      patience: milliseconds + patience,
    });
    return Number(token);
  } catch (error) {
    unlisten();
    await cancelling;
    const isOver = SLICE_ENDS.has(sqlState(error));
    if (isOver && !signal.aborted && (await owns(session, want))) {
      return await tokenOf(session, want);
    }
    await clear(session, want, error as Error);
    if (isOver || signal.aborted) return null;
    throw error;
  } finally {
    unlisten();
    // A cancel that comes late would hit the next statement of the session.
    await cancelling;
  }
}

async function tokenOf(session: Session, want: Want): Promise<number> {
  try {
    const { token } = await session.query(TOKEN_STATEMENT);
    return Number(token);
  } catch (error) {
    await clear(session, want, error as Error);
    throw error;
  }
}

/** After an error: gives back what the session may have been granted all the same. */
async function clear(session: Session, want: Want, error: Error): Promise<void> {
  if (session.ended !== undefined) return;
  if (isShared(session, want)) return session.destroy(error);
  if (await owns(session, want)) await unlock(session, want);
}

/** False where the session did not have it. */
export async function unlock(session: Session, want: Want): Promise<boolean> {
  return retried(async (again) => {
    // The unlock may have been done when it was cancelled.
    if (again && isShared(session, want)) session.destroy(new Error('an unlock was cancelled'));
    if (again && !(await owns(session, want))) return true;
    const { done } = await session.query(unlockStatement(want.key, want.mode));
    return done === 't';
  });
}

/** Whether the server says that the session has it. */
export async function owns(session: Session, want: Want): Promise<boolean> {
  return retried(async () => {
    const { owned } = await session.query(ownedStatement(want.key, want.mode));
    return owned === 't';
  });
}

/** The server tells whether the session has it, but not for how many callers. */
function isShared(session: Session, { key, mode }: Want): boolean {
  return mode === 'shared' && session.uses(key.text) > 1;
}

const MOST_RETRIES = 3;

/** A cancel that was meant for the statement before may hit this one. */
async function retried<T>(question: (again: boolean) => Promise<T>): Promise<T> {
  for (let retries = 0; ; retries++) {
    try {
      return await question(retries > 0);
    } catch (error) {
      if (sqlState(error) !== CANCELLED || retries === MOST_RETRIES) throw error;
    }
  }
}
