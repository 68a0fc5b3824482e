import { LockError, setName } from '../base/errors.js';
import { printable } from '../base/holder.js';

/** The names of a directory's entries do not say which of their numbers is the id. */
export class AmbiguousIdError extends LockError {
  /** Names that contradict the rule or each other: one or two, as examples. */
  readonly names: string[];

  constructor(directory: string, names: string[], problem: string) {
    const way = 'set pattern (--pattern), a regular expression with a group around the id';
    super(
      'ERR_ID_AMBIGUOUS',
      directory,
      `which number is the id in the names of ${printable(directory)}? ${problem}; ${way}, as in ^(\\d+)`,
    );
    this.names = names;
  }
}
setName(AmbiguousIdError, 'AmbiguousIdError');

/** The file with the counter's name is not a counter, and is left as it is. */
export class IdCounterError extends LockError {
  constructor(path: string, problem: string, cause?: unknown) {
    const ways = 'write the last id into it, move it away, or choose another lock name';
    super(
      'ERR_ID_COUNTER',
      path,
      `${printable(path)} cannot serve as the counter: ${problem}; ${ways}`,
      cause,
    );
  }
}
setName(IdCounterError, 'IdCounterError');
