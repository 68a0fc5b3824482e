import { formatTimeout } from '../../base/errors.js';
import { monotonicTime } from '../../base/timers.js';
import { Connection } from './connection.js';
import type { CheckedOptions } from './options.js';
import {
  connectionError,
  isPerhapsDone,
  isTransient,
  NO_ETCD,
  type ServerError,
  unsupported,
} from './server-error.js';

/** What all answers have. Numbers of 64 bits come as strings, and zeros not at all. */
export interface Answer {
  header?: { cluster_id?: string; revision?: string };
}

export interface CallOptions {
  /** Milliseconds for all attempts together; default: enough for every endpoint. */
  within?: number;
  /** Nobody waits for it: it does not keep the process alive. */
  background?: boolean;
  /**
   * For what must not be done twice: no other endpoint is asked if the first
   * may have the question.
   */
  once?: boolean;
}

/** What a call gives to each endpoint. */
interface Attempt {
  readonly within: number;
  readonly background: boolean;
}

const AUTHENTICATE = '/v3/auth/authenticate';
// Of a server that asks for no password.
const NO_AUTHENTICATION = 'authentication is not enabled';
const OTHER_CLUSTER =
  'belongs to another cluster than before: give the members of one cluster; if that cluster was set up again, restart this program';
const TOKEN_REFUSED = /invalid auth token|auth store is old|user name is empty/;

/**
 * The cluster, by the JSON gateway of its members. A call goes to the member
 * that answered last, and on to the next if it does not answer.
 */
export class Gateway {
  readonly #connections: readonly Connection[];
  readonly #credentials: CheckedOptions['credentials'];
  /** Milliseconds for one attempt. */
  readonly #attempt: number;
  #at = 0;
  #token: Promise<string | undefined> | undefined;
  #cluster: string | undefined;

  constructor({ endpoints, credentials, tls, ttl }: CheckedOptions) {
    this.#connections = endpoints.map((endpoint) => new Connection(endpoint, tls));
    this.#credentials = credentials;
    // All endpoints get their attempt before two thirds of the ttl are over.
    this.#attempt = (ttl * 1000) / Math.max(5, endpoints.length + 2);
  }

  /** Whether a member has answered yet. */
  get isReached(): boolean {
    return this.#cluster !== undefined;
  }

  /** Of a call that waited for so many milliseconds for the first answer of all. */
  silence(milliseconds: number): ServerError {
    const error = new Error(`nothing came within ${formatTimeout(milliseconds)}`);
    const cause = Object.assign(error, { code: 'ETIMEDOUT' });
    return connectionError(this.#connection(this.#at).url, cause, true);
  }

  /** Asks, once each endpoint at most. Rejects with the error of the last one. */
  async call<A extends Answer>(
    path: string,
    question: object,
    options: CallOptions = {},
  ): Promise<A> {
    const {
      within = this.#attempt * this.#connections.length,
      background = false,
      once = false,
    } = options;
    const deadline = monotonicTime() + within;
    let failure: unknown;
    for (const _ of this.#connections) {
      const at = this.#at;
      const left = deadline - monotonicTime();
      if (left <= 0 && failure !== undefined) break;
      try {
        return await this.#ask<A>(this.#connection(at), path, question, {
          within: Math.max(1, Math.min(left, this.#attempt)),
          background,
        });
      } catch (error) {
        failure = error;
        if (!isTransient(error)) break;
        this.#passOver(at);
        if (once && isPerhapsDone(error)) break;
      }
    }
    throw failure;
  }

  /**
   * Messages of a stream, until `signal` is aborted or the stream ends. Never
   * rejects: a reader cannot rely on a stream and asks again anyway.
   */
  async stream(
    path: string,
    question: object,
    onMessage: (message: unknown) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const at = this.#at;
    try {
      const token = await this.#token;
      await this.#connection(at).stream(path, question, { token, signal, onMessage });
    } catch (error) {
      if (isTransient(error)) this.#passOver(at);
    }
  }

  /** Ends all connections, also those in use. */
  close(): void {
    for (const connection of this.#connections) connection.close();
  }

  #connection(at: number): Connection {
    return this.#connections[at] as Connection;
  }

  /** Others may have done so meanwhile. */
  #passOver(at: number): void {
    if (this.#at === at) this.#at = (at + 1) % this.#connections.length;
  }

  async #ask<A extends Answer>(
    connection: Connection,
    path: string,
    question: object,
    options: Attempt,
  ): Promise<A> {
    const { within, background } = options;
    const needsToken = this.#credentials !== undefined;
    const token = needsToken
      ? await (this.#token ?? this.#authenticate(connection, options))
      : undefined;
    try {
      const answer = await connection.ask(path, question, { within, background, token });
      return this.#known(connection, answer);
    } catch (error) {
      const isRefused = TOKEN_REFUSED.test((error as Error).message);
      if (this.#credentials === undefined || !isRefused) throw error;
    }
    // Tokens expire, and a restarted member has forgotten them. One new token is
    // for all whose calls were refused with the old one.
    const current = await this.#token;
    const renewed = current === token ? await this.#authenticate(connection, options) : current;
    return this.#known(
      connection,
      await connection.ask(path, question, { within, background, token: renewed }),
    );
  }

  async #authenticate(connection: Connection, options: Attempt): Promise<string | undefined> {
    if (this.#credentials === undefined) return undefined;
    const asked = connection.ask(AUTHENTICATE, this.#credentials, options).then(
      (answer) => (answer as { token?: string }).token,
      (error: Error) => {
        if (error.message.includes(NO_AUTHENTICATION)) return undefined;
        // The next call tries again.
        if (this.#token === asked) this.#token = undefined;
        throw error;
      },
    );
    this.#token = asked;
    return asked;
  }

  /**
   * Two clusters among the endpoints would have a holder each. The same is true
   * of one that was set up again without its data: its revisions start again.
   */
  #known<A extends Answer>(connection: Connection, given: unknown): A {
    const answer = given as A;
    const cluster = answer.header?.cluster_id;
    if (cluster === undefined) throw unsupported(connection.url, NO_ETCD);
    this.#cluster ??= cluster;
    if (cluster === this.#cluster) return answer;
    throw unsupported(connection.url, OTHER_CLUSTER);
  }
}

/** Milliseconds between attempts while no member answers: 50, 100, … 1000. */
export function pauseBefore(attempt: number): number {
  return Math.min(1000, 50 * 2 ** Math.min(attempt, 10));
}
