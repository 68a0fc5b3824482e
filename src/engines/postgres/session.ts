import type { Socket } from 'node:net';
import { clearTimeout, setImmediate, setTimeout } from 'node:timers';
import type { Client } from 'pg';
import { monotonicTime } from '../../base/timers.js';
import type { ThisProcess } from '../this-process.js';
import { type About, commentOf, FIRST, NOTHING } from './comment.js';
import { endsSession, silence } from './server-errors.js';
import { NOTHING_STATEMENT } from './statements.js';
import { type OnAnswer, type Repeated, type Row, Submission, textOf } from './submission.js';

/** A lock that a session has. */
export interface Hold {
  readonly name: string;
  readonly since: Date;
  /** The session has ended, or may have. */
  lose(cause: Error): void;
}

export interface StatementOptions {
  /** What the comment says instead of what the session holds. */
  about?: () => About;
  /** How long the answer may take, in milliseconds. Default: a sixth of `loss`. */
  patience?: number;
}

interface Statement {
  readonly sql: string | Repeated;
  readonly options: StatementOptions;
  resolve(rows: Row[]): void;
  reject(error: Error): void;
}

/** What pg has and its types leave out. */
interface Wire {
  readonly processID: number | null;
  readonly connection: { readonly stream: Socket; end(): void };
}

interface WithHandle {
  readonly _handle?: { readonly fd?: number } | null;
  /** Of TLS: the socket below. */
  readonly _parent?: WithHandle | null;
}

const GRACE_MILLISECONDS = 1000;

/**
 * One session of the server. When it ends, the server frees what it has. It
 * never comes back: what is held must not go over to another session unnoticed.
 */
export class Session {
  readonly holds = new Set<Hold>();
  /** Why it is no more. */
  ended: Error | undefined;
  /** The process of the server, and which server that is; set at connect. */
  backend = 0;
  server = '';
  readonly #client: Client;
  readonly #loss: number;
  readonly #me: ThisProcess;
  readonly #listeners: (() => void)[] = [];
  readonly #queue: Statement[] = [];
  #current: Statement | undefined;
  #callers = 0;
  /** The comments that name no lock. */
  readonly #nameless: ReadonlyMap<About, string>;
  /** The names of statements that the server has prepared. */
  readonly #prepared = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  // When the last statement that was answered had been sent, by both clocks:
  // one stands still while the machine sleeps, the other can be set.
  #heard = { steady: monotonicTime(), wall: Date.now() };
  readonly #uses = new Map<string, number>();

  /** `client` is connected. */
  constructor(client: Client, loss: number, me: ThisProcess) {
    this.#client = client;
    this.#loss = loss;
    this.#me = me;
    this.#nameless = new Map([NOTHING, FIRST].map((about) => [about, commentOf(me, about)]));
    client.on('error', (error) => this.destroy(error));
    client.on('end', () => this.destroy(new Error('the connection was closed')));
    this.#idle();
  }

  /** What the client was told at connect. */
  get processId(): number | null {
    return (this.#client as unknown as Wire).processID;
  }

  /** The descriptor of the socket, -1 where there is none. */
  get fd(): number {
    const socket = this.#socket as unknown as WithHandle;
    return socket._handle?.fd ?? socket._parent?._handle?.fd ?? -1;
  }

  get #socket(): Socket {
    return (this.#client as unknown as Wire).connection.stream;
  }

  /** The server has been heard within `loss`. In doubt false. */
  isCurrent(): boolean {
    const { steady, wall } = this.#heard;
    const silent = Math.max(monotonicTime() - steady, Date.now() - wall);
    return this.ended === undefined && silent < this.#loss;
  }

  /** Calls `listener` when it has ended, after the holds have heard of it. */
  onEnd(listener: () => void): void {
    if (this.ended === undefined) this.#listeners.push(listener);
    else listener();
  }

  /**
   * Counts what may be locked here by one key: a shared lock can be held twice,
   * and `pg_locks` does not tell how often. The result undoes it.
   */
  use(key: string): () => void {
    this.#uses.set(key, this.uses(key) + 1);
    return () => {
      const left = this.uses(key) - 1;
      if (left > 0) this.#uses.set(key, left);
      else this.#uses.delete(key);
    };
  }

  /** More is asked of it than it holds: a grant may be on its way. */
  get isTrying(): boolean {
    return this.useCount > this.holds.size;
  }

  /** Of all keys. */
  get useCount(): number {
    let count = 0;
    for (const each of this.#uses.values()) count += each;
    return count;
  }

  uses(key: string): number {
    return this.#uses.get(key) ?? 0;
  }

  /**
   * The first row of the last statement in `sql`. One at a time, in the order
   * of the calls. Keeps the process alive until it is answered.
   */
  async query(sql: string | Repeated, options: StatementOptions = {}): Promise<Row> {
    const [row = {}] = await this.queryAll(sql, options);
    return row;
  }

  async queryAll(sql: string | Repeated, options: StatementOptions = {}): Promise<Row[]> {
    this.#callers++;
    this.#keepAlive();
    try {
      return await this.#send(sql, options);
    } finally {
      this.#callers--;
      this.#keepAlive();
    }
  }

  /** At once, without a word to the server, which frees what it holds when it notices. */
  destroy(cause: Error): void {
    if (this.ended === undefined) this.#end(cause);
    this.#socket.destroy();
  }

  /** The socket of this process is closed; the session lives on with a child that has it. */
  leave(): void {
    this.holds.clear();
    this.destroy(new Error('the session was left to another process'));
  }

  /** Says goodbye, and waits until the server has freed all and closed the connection. */
  async close(reason: string): Promise<void> {
    if (this.ended !== undefined) return;
    this.#end(new Error(reason));
    const socket = this.#socket;
    // Else the process could end before the caller has heard.
    socket.ref?.();
    const timer = setTimeout(() => socket.destroy(), GRACE_MILLISECONDS).unref();
    const closed = new Promise((resolve) => socket.once('close', resolve));
    // Not the end() of the client, which drops the connection where a statement
    // is not answered: then the server would still hold what it has.
    if (!socket.destroyed) {
      (this.#client as unknown as Wire).connection.end();
      await closed;
    }
    clearTimeout(timer);
  }

  #end(cause: Error): void {
    this.ended = cause;
    clearTimeout(this.#timer);
    const unanswered = [this.#current, ...this.#queue.splice(0)];
    this.#current = undefined;
    for (const hold of [...this.holds]) hold.lose(cause);
    this.holds.clear();
    for (const listener of this.#listeners) listener();
    for (const statement of unanswered) statement?.reject(cause);
  }

  #send(sql: string | Repeated, options: StatementOptions): Promise<Row[]> {
    return new Promise((resolve, reject) => {
      if (this.ended !== undefined) return reject(this.ended);
      this.#queue.push({ sql, options, resolve, reject });
      this.#next();
    });
  }

  #next(): void {
    if (this.#current !== undefined || this.ended !== undefined) return;
    const statement = this.#queue.shift();
    if (statement === undefined) {
      this.#idle();
      return;
    }
    this.#current = statement;
    clearTimeout(this.#timer);
    const { patience = this.#loss / 6 } = statement.options;
    this.#timer = setTimeout(() => this.#judge(statement, patience), patience).unref();
    const sent = { steady: monotonicTime(), wall: Date.now() };
    const answer = (error: Error | null, rows: Row[]): void => {
      // It has ended in the meantime, and the statement with it.
      if (this.#current !== statement) return;
      if (error !== null && endsSession(error)) {
        this.destroy(error);
        return;
      }
      this.#current = undefined;
      clearTimeout(this.#timer);
      this.#heard = sent;
      if (error === null) statement.resolve(rows);
      else statement.reject(error);
      this.#next();
    };
    const about = statement.options.about?.() ?? this.#about();
    this.#client.query(this.#submission(statement.sql, about, answer));
  }

  /** What is repeated is prepared, unless its comment tells of one lock. */
  #submission(sql: string | Repeated, about: About, onAnswer: OnAnswer): Submission {
    const comment = this.#nameless.get(about);
    if (typeof sql === 'string' || comment === undefined) {
      return Submission.ofText((comment ?? commentOf(this.#me, about)) + textOf(sql), onAnswer);
    }
    const name = `holdfast_${sql.id}${about === FIRST ? '_first' : ''}`;
    const isKnown = this.#prepared.delete(name);
    return Submission.ofPrepared({ name, comment, isKnown }, sql, (error, rows) => {
      if (error === null) this.#prepared.add(name);
      onAnswer(error, rows);
    });
  }

  /**
   * The answer may be here already and wait to be read, where the program was
   * stopped or its loop blocked: so decide after one more turn of the loop.
   */
  #judge(statement: Statement, patience: number): void {
    const decide = (): void => {
      if (this.#current === statement) this.destroy(silence(patience));
    };
    setImmediate(decide);
  }

  /**
   * A silent connection looks like an idle one, so ask. With the comment: the
   * last statement is what the server shows of a session.
   */
  #idle(): void {
    const beat = (): void => {
      this.#send(NOTHING_STATEMENT, {}).catch(() => {});
    };
    clearTimeout(this.#timer);
    this.#timer = setTimeout(beat, this.#loss / 6).unref();
  }

  #about(): About {
    const [only] = this.holds;
    if (only === undefined || this.holds.size > 1) return NOTHING;
    return { ...NOTHING, name: only.name, since: only.since };
  }

  /** What is held does not keep the process alive, nor does a heartbeat. */
  #keepAlive(): void {
    if (this.#callers > 0) this.#socket.ref?.();
    else this.#socket.unref?.();
  }
}
