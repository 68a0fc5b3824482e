import { clearInterval, setInterval } from 'node:timers';
import type { Found } from './model.js';
import { isAlive, type SessionMark } from './session.js';

// Nothing reports the end of a process that is no child, short of a descriptor
// for each. To read one's state takes some microseconds.
const LOOK_MILLISECONDS = 100;

/** The sessions of claims that end with a process, each once. */
export function sessionsOf(found: readonly Found[]): SessionMark[] {
  const marks = found.map(({ claim }) => claim?.session ?? null).filter((mark) => mark !== null);
  return [...new Map(marks.map((mark) => [`${mark.pid} ${mark.start}`, mark])).values()];
}

/**
 * Calls `ended`, once, when one of these processes has ended. Those of which that
 * cannot be told are passed over. Returns a function that stops it.
 */
export function onSessionEnd(sessions: readonly SessionMark[], ended: () => void): () => void {
  const known = sessions.filter((mark) => isAlive(mark) !== null);
  if (known.length === 0) return () => {};
  const timer = setInterval(() => {
    if (!known.some((mark) => isAlive(mark) === false)) return;
    clearInterval(timer);
    ended();
  }, LOOK_MILLISECONDS);
  return () => clearInterval(timer);
}
