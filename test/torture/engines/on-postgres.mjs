// What the driver can do to a PostgreSQL server, and what holds there.
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { lacksPostgres, ThrowawayPostgres } from '../../support/throwaway-postgres.mjs';

const LOSS = 3000;

const digest = (name) => createHash('sha256').update(name).digest();

export class OnPostgres {
  static lacks = lacksPostgres;
  #server;
  name = 'postgres';
  modes = ['exclusive', 'shared'];
  /** The server frees what a silent client has after so many milliseconds. */
  frees = LOSS;
  /** It does so when it notices that a connection is dead, which here nobody tells it. */
  needsCut = true;
  /** Within so many milliseconds, a holder that runs hears of its loss. */
  hearing = LOSS / 3 + 500;
  /** A holder that is stopped keeps its lock. */
  pauseLoses = false;
  faults = {
    ...{ stop: 14, kill: 16, end: 14, cancel: 8, delay: 8, silence: 30, cut: 8, freeze: 6 },
    ...{ fast: 5, immediate: 5 },
  };

  static async start() {
    const target = new OnPostgres();
    target.#server = await ThrowawayPostgres.start();
    return target;
  }

  get port() {
    return this.#server.port;
  }

  /** The options of the locker. */
  optionsAt(port) {
    return { connect: this.#server.urlAt(port), loss: LOSS };
  }

  async restart(how, pause) {
    await this.#server.end(how);
    await sleep(pause);
    await this.#server.begin();
  }

  /** Ends the session that holds `name`; its process, or `null`. */
  end(name) {
    return this.#signal(`pg_terminate_backend(a.pid)`, this.#holdsOf(name));
  }

  /** Cancels what a session does that waits for `name`, as an administrator may. */
  cancel(name) {
    return this.#signal(`pg_cancel_backend(a.pid)`, this.#rowsOf(name, false));
  }

  /** The process of the server that holds `name`, or that of another client, stops. */
  async freeze(name, milliseconds) {
    const rows = await this.#find('a.pid', this.#holdsOf(name));
    if (rows.length === 0) return null;
    const { backend } = rows[0];
    try {
      process.kill(backend, 'SIGSTOP');
      await sleep(milliseconds);
      process.kill(backend, 'SIGCONT');
    } catch (error) {
      if (error.code !== 'ESRCH') throw error;
    }
    return rows[0].pid;
  }

  /** What is left of locks. */
  async leftovers() {
    const rows = await this.#server.sql(`SELECT l.granted, a.application_name, a.query
      FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid) WHERE locktype = 'advisory'`);
    return rows.map((row) => JSON.stringify(row));
  }

  remove() {
    return this.#server.remove();
  }

  #rowsOf(name, granted) {
    const key = digest(name);
    return `l.locktype = 'advisory' AND l.granted = ${granted}
      AND l.classid = ${key.readUInt32BE(0)} AND l.objid = ${key.readUInt32BE(4)}`;
  }

  #holdsOf(name) {
    return `${this.#rowsOf(name, true)} AND l.mode = 'ExclusiveLock'`;
  }

  async #signal(deed, where) {
    const rows = await this.#find(deed, where);
    return rows.length === 0 ? null : rows[0].pid;
  }

  async #find(deed, where) {
    const rows = await this.#server.sql(`SELECT ${deed} AS done, a.pid, a.application_name AS client
      FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE ${where} LIMIT 1`);
    return rows.map(({ pid, client }) => ({
      backend: pid,
      pid: Number(/^holdfast (\d+)@/.exec(client)?.[1]),
    }));
  }
}
