import type { Locker } from '../base/locker.js';
import { FileMembership } from './file-membership.js';
import { FileSeats } from './file-seats.js';
import { LockerMembership } from './locker-membership.js';
import { LockerSeats } from './locker-seats.js';
import type { Membership } from './membership.js';
import type { JoinRequest } from './options.js';
import type { Seats } from './seats.js';
import type { Troubles } from './troubles.js';

/** The basis of an election: the files of a folder, or the lock of a name. */
export interface Ground<T extends object> {
  seats: Seats;
  membership: Membership<T>;
}

export interface GroundOptions {
  leaving: AbortSignal;
  troubles: Troubles;
  giveUp: (error: Error) => void;
}

export function onFiles<T extends object>(
  { place: directory, id, settle, data }: JoinRequest<T>,
  options: GroundOptions,
): Ground<T> {
  const membership = new FileMembership<T>({ ...options, directory, id, data });
  const seats = new FileSeats({ directory, id, settle, since: () => membership.since });
  return { seats, membership };
}

export function onLocker<T extends object>({ place, locker }: JoinRequest<T>): Ground<T> {
  return {
    seats: new LockerSeats(locker as Locker, place),
    membership: new LockerMembership<T>(locker as Locker, place),
  };
}
