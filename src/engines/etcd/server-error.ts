import { setName } from '../../base/errors.js';

// The codes of gRPC, by number.
const CODES = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
];

// Another member, or the same one later, may answer otherwise.
const TRANSIENT = ['CANCELLED', 'DEADLINE_EXCEEDED', 'ABORTED', 'UNAVAILABLE'];

// With these the server says that it has changed nothing.
const NOT_DONE = [
  'INVALID_ARGUMENT',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'UNAUTHENTICATED',
];

/** A call of the server has failed. */
export class ServerError extends Error {
  /**
   * The code of gRPC, such as `UNAUTHENTICATED`; of a connection that failed,
   * the one of Node, such as `ECONNREFUSED`.
   */
  readonly code: string;
  readonly endpoint: string;

  constructor(endpoint: string, code: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.endpoint = endpoint;
  }
}
setName(ServerError, 'ServerError');

interface Nature {
  transient: boolean;
  perhapsDone: boolean;
}

// Beside the errors: a caller has no use for it.
const natures = new WeakMap<object, Nature>();

/** Whether to try again. */
export function isTransient(error: unknown): boolean {
  return natures.get(error as object)?.transient === true;
}

/** Whether the server may have done what it was asked, or may still do it. */
export function isPerhapsDone(error: unknown): boolean {
  return natures.get(error as object)?.perhapsDone === true;
}

/** No answer. `sent` tells whether the server may have the question. */
export function connectionError(endpoint: string, cause: unknown, sent: boolean): ServerError {
  const {
    code = 'ECONNRESET',
    message,
    errors,
  } = cause as NodeJS.ErrnoException & {
    errors?: Error[];
  };
  // Of several addresses, only the errors of each have a text.
  const reason = message === '' ? (errors?.[0]?.message ?? code) : message;
  const error = new ServerError(endpoint, code, `no answer from ${endpoint}: ${reason}`, cause);
  natures.set(error, { transient: true, perhapsDone: sent });
  return error;
}

/** The server's own error: its message, its code. */
export function refusal(endpoint: string, number: number, message: string): ServerError {
  const code = CODES[number] ?? 'UNKNOWN';
  const isAnonymous = message.includes('user name is empty');
  const advice = isAnonymous ? ': the cluster asks for "user" and "password"' : '';
  const error = new ServerError(endpoint, code, message + advice);
  natures.set(error, {
    transient: TRANSIENT.includes(code),
    perhapsDone: !NOT_DONE.includes(code) && !message.includes('no leader'),
  });
  return error;
}

/** The code of an error after which no lock is possible there. */
export const UNSUPPORTED = 'UNSUPPORTED';

export const NO_ETCD =
  'does not answer as etcd does: it takes etcd 3.4 or later with its JSON gateway (--enable-grpc-gateway)';

/** The server is not one that the locker can use. */
export function unsupported(endpoint: string, what: string): ServerError {
  return new ServerError(endpoint, UNSUPPORTED, `${endpoint} ${what}`);
}

/** A proxy in front of the server says that the server is away. */
export function awayError(endpoint: string, status: number): ServerError {
  const error = new ServerError(endpoint, 'UNAVAILABLE', `${endpoint} answers HTTP ${status}`);
  natures.set(error, { transient: true, perhapsDone: true });
  return error;
}
