import { NO_RIGHT, NO_SUCH_TABLE, Refusal, sqlState } from './server-errors.js';
import type { Session } from './session.js';
import { SEQUENCE } from './statements.js';

const NOW = '(extract(epoch FROM pg_catalog.clock_timestamp()) * 1000000)::bigint';

// A standby that was promoted may not know the last tokens of its primary. The
// clock does: no server grants a million locks a second.
const LAG_MICROSECONDS = 1_000_000;

// In the space of two integers, where no lock of a name is.
const ALONE = 'SELECT pg_catalog.pg_advisory_xact_lock(1751084132, 1717662580)';

const READ = `SELECT ${NOW} - last_value > ${LAG_MICROSECONDS} AS lags,
  (SELECT seqcache = 1 AND seqincrement >= 1 AND NOT seqcycle FROM pg_catalog.pg_sequence
   WHERE seqrelid = '${SEQUENCE}'::regclass) AS fit
  FROM ${SEQUENCE}`;

/**
 * Reads again under a lock: of two that lift at once, the second would take
 * the tokens back that were granted after the first.
 */
const LIFT = `BEGIN; ${ALONE};
  WITH clock AS MATERIALIZED (SELECT ${NOW} AS now)
  SELECT pg_catalog.setval('${SEQUENCE}', clock.now) FROM clock, ${SEQUENCE} AS sequence
  WHERE clock.now - sequence.last_value > ${LAG_MICROSECONDS};
  COMMIT`;

/** Makes sure of the sequence that the tokens come from. */
export async function prepareTokens(session: Session, patience: number): Promise<void> {
  const read = () => session.query(READ, { patience });
  try {
    const state = await read().catch(async (error: unknown) => {
      if (sqlState(error) !== NO_SUCH_TABLE) throw error;
      await create(session, patience);
      return await read();
    });
    if (state['fit'] !== 't') throw new Refusal(UNFIT);
    if (state['lags'] === 't') await inTransaction(session, LIFT, patience);
  } catch (error) {
    if (sqlState(error) !== NO_RIGHT) throw error;
    throw await missingRight(session, error);
  }
}

async function create(session: Session, patience: number): Promise<void> {
  const { now } = await session.query(`SELECT ${NOW} AS now`, { patience });
  const { there } = await session.query(
    `SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'holdfast') AS there`,
    { patience },
  );
  // IF NOT EXISTS asks for the right to create it, even if it does.
  const schema = there === 't' ? '' : 'CREATE SCHEMA IF NOT EXISTS holdfast;';
  const sequence = `CREATE SEQUENCE IF NOT EXISTS ${SEQUENCE} AS bigint START ${now} CACHE 1`;
  await inTransaction(session, `BEGIN; ${ALONE}; ${schema} ${sequence}; COMMIT`, patience);
}

async function inTransaction(session: Session, sql: string, patience: number): Promise<void> {
  try {
    await session.query(sql, { patience });
  } catch (error) {
    if (session.ended === undefined) await session.query('ROLLBACK', { patience });
    throw error;
  }
}

const UNFIT = `the sequence ${SEQUENCE} would give tokens that do not grow; run: ALTER SEQUENCE ${SEQUENCE} INCREMENT 1 CACHE 1 NO CYCLE`;

async function missingRight(session: Session, cause: unknown): Promise<Refusal> {
  const { role } = await session.query('SELECT pg_catalog.quote_ident(current_user) AS role');
  const message = `the role ${role} may not create or use the sequence ${SEQUENCE}, which the tokens come from; let its owner or a superuser run:`;
  return new Refusal(message, cause, [
    'CREATE SCHEMA IF NOT EXISTS holdfast;',
    `CREATE SEQUENCE IF NOT EXISTS ${SEQUENCE} CACHE 1;`,
    `GRANT USAGE ON SCHEMA holdfast TO ${role};`,
    `GRANT USAGE, SELECT, UPDATE ON SEQUENCE ${SEQUENCE} TO ${role};`,
  ]);
}
