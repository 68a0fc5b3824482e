import { type PostgresLocker, postgresLocker } from '../engines/postgres/locker.js';
import type { PostgresUrl } from './lock-url.js';

/** pg itself adds what the environment says: `PGHOST`, `PGPASSWORD`, `PGPASSFILE`, … */
export function openPostgres({ connect, loss }: PostgresUrl, command: string): PostgresLocker {
  return postgresLocker({ connect, loss, command });
}
