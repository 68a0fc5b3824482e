import { onTestFinished } from 'vitest';
import { Election, type ElectionOptions } from '../../src/election.js';
import { within } from './remote.js';

/** The module as built, for scripts in other processes. */
export const ELECTION = new URL('../../dist/election.js', import.meta.url).href;

/** Joins, and leaves when the test has ended. */
export async function member<T extends object>(
  directory: string,
  options?: ElectionOptions<T>,
): Promise<Election<T>> {
  const election = await Election.join(directory, options);
  onTestFinished(() => election.leave().catch(() => {}));
  return election;
}

/** Joins, and resolves when the member is primary. */
export async function primary(directory: string, options?: ElectionOptions): Promise<Election> {
  const election = await member(directory, options);
  await soon(election.whenPrimary());
  return election;
}

/** The errors that it emits, from now on. */
export function errorsOf(election: Election): Error[] {
  const errors: Error[] = [];
  election.on('error', (error) => errors.push(error));
  return errors;
}

export function soon<T>(promise: Promise<T>): Promise<T> {
  return within(promise, () => 'not within ten seconds', 10_000);
}

/** Whether it has settled by now, or does within a few turns of the event loop. */
export async function hasSettled(promise: Promise<unknown>): Promise<boolean> {
  let done = false;
  const finish = (): void => {
    done = true;
  };
  promise.then(finish, finish);
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
  return done;
}
