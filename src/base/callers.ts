/** So many frames are kept; a stack shows as many as `Error.stackTraceLimit` says. */
const MOST_FRAMES = 50;

/**
 * Who called, with those that await, as lines of a stack. It is formatted when
 * it is asked for, by what the program may have put there (`prepareStackTrace`).
 */
export class Callers {
  readonly #origin = { stack: '' as unknown };
  readonly #limit: number;

  /** Without `callee` and what it has called. */
  constructor(callee: (...args: never[]) => unknown) {
    this.#limit = Error.stackTraceLimit;
    // Set with Reflect, which does not throw where Error is frozen.
    Reflect.set(Error, 'stackTraceLimit', MOST_FRAMES);
    Error.captureStackTrace(this.#origin, callee);
    Reflect.set(Error, 'stackTraceLimit', this.#limit);
  }

  get lines(): string[] {
    return String(this.#origin.stack)
      .split('\n')
      .filter((line) => /^\s+at /.test(line));
  }

  /** For an error that is made in a callback, whose own stack shows nobody. */
  putInto<E extends Error>(error: E): E {
    try {
      const { stack } = error;
      if (typeof stack !== 'string' || typeof this.#origin.stack !== 'string') return error;
      const end = stack.search(/\n\s+at /);
      const head = end < 0 ? stack : stack.slice(0, end);
      Reflect.set(error, 'stack', [head, ...this.lines.slice(0, this.#limit)].join('\n'));
    } catch {
      // The program's own code has failed; the error is told all the same.
    }
    return error;
  }
}
