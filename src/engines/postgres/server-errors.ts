import { formatTimeout } from '../../base/errors.js';

/** An error of the server has its SQLSTATE as `code`; one of the connection has no severity. */
interface ServerError extends Error {
  readonly code?: string;
  readonly severity?: string;
}

/** The SQLSTATE of what the server has said; undefined of a failed connection. */
export function sqlState(error: unknown): string | undefined {
  const { code, severity } = (error ?? {}) as ServerError;
  return severity === undefined ? undefined : code;
}

export const LOCK_TIMEOUT = '55P03';
export const DEADLOCK = '40P01';
export const CANCELLED = '57014';
export const NO_RIGHT = '42501';
export const NO_SUCH_TABLE = '42P01';

/** Ended by an administrator, a crash, a shutdown or a timeout of the server. */
const ENDING = /^57P0[1-5]$/;

/** After this error the session is of no use. */
export function endsSession(error: Error): boolean {
  const state = sqlState(error);
  return state === undefined || ENDING.test(state);
}

// Too many connections (53300), cannot connect now (57P03), and what ends
// sessions when a server restarts.
const PASSING = /^(?:08...|53300|57P0[1-5])$/;

/** Something that a wait outlasts: the server is away, or full. */
export function isPassing(error: unknown): boolean {
  if (error instanceof Refusal) return false;
  const state = sqlState(error);
  return state === undefined || PASSING.test(state);
}

/** Nothing was heard of the server for so long. */
export function silence(milliseconds: number): Error {
  const error = new Error(
    `the PostgreSQL server has not answered for ${formatTimeout(milliseconds)}`,
  );
  return Object.assign(error, { code: 'ETIMEDOUT' });
}

/** No locks here, for any name. The caller makes a `LockUnsupportedError` of it. */
export class Refusal extends Error {
  /** What to run, in lines of their own. */
  readonly statements: readonly string[];

  constructor(message: string, cause?: unknown, statements: readonly string[] = []) {
    super(message, cause === undefined ? undefined : { cause });
    this.statements = statements;
  }
}
