import type { Client, ClientConfig } from 'pg';
import { onAbort, throwIfAborted } from '../../base/abort.js';
import type { ThisProcess } from '../this-process.js';
import { applicationName } from './comment.js';
import { Refusal } from './server-errors.js';
import { Session } from './session.js';
import type { Row } from './submission.js';
import { prepareTokens } from './token.js';

export interface Setup {
  readonly connect: string | ClientConfig;
  readonly loss: number;
  readonly me: ThisProcess;
}

/** What pg has and its types leave out. */
interface WithParameters {
  readonly connectionParameters: { query_timeout: number };
}

/** A session with everything set that its locks depend on. `signal` gives it up. */
export async function openSession(
  { connect, loss, me }: Setup,
  signal: AbortSignal,
): Promise<Session> {
  const { Client: PgClient } = await loadPg();
  const config = typeof connect === 'string' ? { connectionString: connect } : connect;
  const client: Client = new PgClient({
    connectionTimeoutMillis: Math.ceil(loss / 3),
    ...config,
    // One statement at a time.
    pipeline: false,
    fallback_application_name: applicationName(me),
    // Each value as the server writes it, whatever parsers the program has set.
    types: { getTypeParser: () => (text: string) => text },
  } as ClientConfig);
  // Another limit than the server's would leave its statement running. Set here,
  // as a connection string and the defaults of pg count for more than options.
  (client as unknown as WithParameters).connectionParameters.query_timeout = 0;
  // Else an error that comes after the rejection ends the program.
  client.on('error', () => {});
  const destroy = (): void => {
    (
      client as unknown as { connection: { stream: { destroy(): void } } }
    ).connection.stream.destroy();
  };
  const unlisten = onAbort(signal, destroy);
  try {
    throwIfAborted(signal);
    await client.connect();
    return await preparedSession(client, loss, me);
  } catch (error) {
    destroy();
    throw error;
  } finally {
    unlisten();
  }
}

async function preparedSession(client: Client, loss: number, me: ThisProcess): Promise<Session> {
  const session = new Session(client, loss, me);
  try {
    await settle(session, loss);
    await prepareTokens(session, loss / 3);
    return session;
  } catch (error) {
    await session.close('it could not be used');
    throw error;
  }
}

async function loadPg(): Promise<{ Client: typeof Client }> {
  try {
    const pg = await import('pg');
    return pg.default ?? pg;
  } catch (error) {
    // The code of import() has a prefix, that of the require() in the command has none.
    // Not a module that pg itself lacks: then its installation is broken.
    const { code, message } = error as { code?: string; message?: string };
    const isMissing = /MODULE_NOT_FOUND$/.test(String(code));
    if (!isMissing || !/^Cannot find \w+ '?pg'?(?:\s|$)/.test(String(message))) throw error;
    throw new Refusal('the package pg is not installed; run: npm install pg', error);
  }
}

async function settle(session: Session, loss: number): Promise<void> {
  const answer = await session
    .query(settingsStatement(loss), { patience: loss / 3 })
    .catch(async (error: unknown) => {
      if (session.ended !== undefined) throw error;
      // What only looks like PostgreSQL may not know these settings.
      const { version } = await session.query('SELECT version() AS version');
      refuse({ version: version ?? '', recovery: 'f', backend: '' }, null);
      throw error;
    });
  refuse(answer, session.processId);
  session.backend = Number(answer['backend']);
  session.server = answer['started'] ?? '';
}

/**
 * All in one statement, by a join: a setting that an older server lacks is left
 * out. The server ends a session whose client is silent, but not before the
 * client had the time to notice; both settings are needed, since keepalives do
 * not count while something is unanswered, and `tcp_user_timeout` only then.
 */
function settingsStatement(loss: number): string {
  const seconds = (milliseconds: number): number => Math.max(1, Math.round(milliseconds / 1000));
  const settings: [name: string, value: string | number][] = [
    // Nothing that a role or a database has set ends the session or a statement.
    ['statement_timeout', 0],
    ['lock_timeout', 0],
    ['idle_session_timeout', 0],
    ['idle_in_transaction_session_timeout', 0],
    ['transaction_timeout', 0],
    ['default_transaction_read_only', 'off'],
    // Else a crash of the server takes tokens back.
    ['synchronous_commit', 'on'],
    // Else one that is dead stays in the queue, and is granted the lock.
    ['client_connection_check_interval', 1000],
    ['tcp_keepalives_idle', seconds(loss / 3)],
    ['tcp_keepalives_interval', seconds(loss / 6)],
    ['tcp_keepalives_count', 4],
    ['tcp_user_timeout', loss],
    ['search_path', 'pg_catalog'],
  ];
  const values = settings.map(([name, value]) => `('${name}','${value}')`).join(',');
  return `SELECT pg_catalog.pg_backend_pid() AS backend, pg_catalog.pg_is_in_recovery() AS recovery,
    pg_catalog.version() AS version,
    extract(epoch FROM pg_catalog.pg_postmaster_start_time()) AS started,
    (SELECT count(pg_catalog.set_config(s.name, t.v, false))
     FROM pg_catalog.pg_settings s JOIN (VALUES ${values}) t(n, v) ON s.name = t.n) AS set`;
}

const OTHERS = /-YB-|Redshift|Greenplum|Materialize|CockroachDB|DSQL/i;

/** Throws where locks would not exclude each other, or not be freed. */
export function refuse(answer: Row, processId: number | null): void {
  const version = answer['version'] ?? '';
  if (!version.startsWith('PostgreSQL ') || OTHERS.test(version)) {
    throw new Refusal(
      `the server is not PostgreSQL, and its advisory locks may differ: ${version.slice(0, 60)}`,
    );
  }
  if (answer['recovery'] === 't') {
    throw new Refusal(
      'the server is a standby, whose locks exclude nobody; connect to the primary',
    );
  }
  if (processId !== null && Number(answer['backend']) !== processId) {
    throw new Refusal(
      'a connection pooler (such as PgBouncer) is in between: it shares sessions, and so their locks; connect to the server itself',
    );
  }
}
