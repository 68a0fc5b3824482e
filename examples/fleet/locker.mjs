/** The locker for the URL of a server: this choice is all that depends on the engine. */
import { etcdLocker } from 'holdfast/etcd';
import { postgresLocker } from 'holdfast/postgres';

export function openLocker(server) {
  if (server.startsWith('postgres:')) return postgresLocker({ connect: server, loss: 6000 });
  return etcdLocker({ endpoints: server, ttl: 5 });
}
