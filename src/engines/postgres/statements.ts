import type { LockMode } from '../../base/locker.js';
import type { Key } from './key.js';
import type { Repeated } from './submission.js';

/** Always with its schema: a search path could lead each session to another one. */
export const SEQUENCE = 'holdfast.token';

const suffix = (mode: LockMode): string => (mode === 'shared' ? '_shared' : '');

// A bare -9223372036854775808 would be the minus of a numeric.
const literal = ({ text }: Key): string => `'${text}'::bigint`;

/**
 * One answer for the lock and its token; null where the lock is not free. In a
 * CASE, since in a WHERE the server may try more than once.
 */
export function tryStatement(key: Key, mode: LockMode): Repeated {
  const attempt = `pg_catalog.pg_try_advisory_lock${suffix(mode)}($1::bigint)`;
  return {
    id: `try${suffix(mode)}`,
    sql: `SELECT CASE WHEN ${attempt} THEN ${NEXT_TOKEN} END AS token`,
    column: 'token',
    value: key.text,
  };
}

const NEXT_TOKEN = `pg_catalog.nextval('${SEQUENCE}')`;

export const TOKEN_STATEMENT = `SELECT ${NEXT_TOKEN} AS token`;

/** Waits for at most so many milliseconds: then 55P03. */
export function waitStatement(key: Key, mode: LockMode, milliseconds: number): string {
  return [
    `SET lock_timeout = ${milliseconds}`,
    `SELECT pg_catalog.pg_advisory_lock${suffix(mode)}(${literal(key)})`,
    TOKEN_STATEMENT,
  ].join('; ');
}

export function unlockStatement(key: Key, mode: LockMode): Repeated {
  return {
    id: `unlock${suffix(mode)}`,
    sql: `SELECT pg_catalog.pg_advisory_unlock${suffix(mode)}($1::bigint) AS done`,
    column: 'done',
    value: key.text,
  };
}

const MODES = { exclusive: 'ExclusiveLock', shared: 'ShareLock' };

const rowsOf = ({ high, low }: Key): string =>
  `l.locktype = 'advisory' AND l.objsubid = 1 AND l.classid = ${high} AND l.objid = ${low}`;

/** Whether the session that asks has the lock. */
export function ownedStatement(key: Key, mode: LockMode): string {
  return `SELECT count(*) > 0 AS owned FROM pg_catalog.pg_locks l
    WHERE ${rowsOf(key)} AND l.granted AND l.mode = '${MODES[mode]}'
    AND l.pid = pg_catalog.pg_backend_pid()`;
}

/** Who has the lock, then who waits for it, in the order in which they came. */
export function lookStatement(key: Key): string {
  // PostgreSQL before 14 does not know since when a session waits.
  return `SELECT l.pid, l.granted, a.application_name, a.query, a.state,
    extract(epoch FROM a.state_change) * 1000 AS changed
    FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
    WHERE ${rowsOf(key)} AND l.database =
      (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
    ORDER BY l.granted DESC, (pg_catalog.to_jsonb(l) ->> 'waitstart')::timestamptz, l.pid`;
}

export function cancelStatement(backend: number): string {
  return `SELECT pg_catalog.pg_cancel_backend(${backend})`;
}

/** For the heartbeat. */
export const NOTHING_STATEMENT = 'SELECT 1';
