export type { PostgresLock } from './engines/postgres/lock.js';
export {
  type PostgresLocker,
  type PostgresLockerOptions,
  postgresLocker,
} from './engines/postgres/locker.js';
