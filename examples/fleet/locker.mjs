/** The locker for a server's URL: the only code that depends on the engine. */
export async function openLocker(server) {
  if (server.startsWith('postgres')) {
    const { postgresLocker } = await import('holdfast/postgres');
    return postgresLocker({ connect: server, loss: 6000 });
  }
  const { etcdLocker } = await import('holdfast/etcd');
  return etcdLocker({ endpoints: server, ttl: 5 });
}
