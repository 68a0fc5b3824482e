import { Peer } from './peer.js';

/** The number of the descriptor in the child. */
export const GIVEN = 4;

/** A child that inherits the descriptor of the lock. */
export function heir(lock: { fd: number }): Promise<Peer> {
  return Peer.start({ stdio: ['ignore', 'pipe', 'pipe', 'ipc', lock.fd] });
}
