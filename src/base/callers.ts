/** Frames to capture; a printed stack shows at most `Error.stackTraceLimit` of them. */
const MOST_FRAMES = 50;

/**
 * The callers, async ones included, as lines of a stack. Formatted only on use,
 * because the program's own `Error.prepareStackTrace` may do it.
 */
export class Callers {
  readonly #origin = { stack: '' as unknown };
  readonly #limit: number;

  /** Leaves out `callee` and everything that it called. */
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

  /** For an error created in a callback, whose own stack shows no caller. */
  putInto<E extends Error>(error: E): E {
    try {
      const { stack } = error;
      if (typeof stack !== 'string' || typeof this.#origin.stack !== 'string') return error;
      const end = stack.search(/\n\s+at /);
      const head = end < 0 ? stack : stack.slice(0, end);
      Reflect.set(error, 'stack', [head, ...this.lines.slice(0, this.#limit)].join('\n'));
    } catch {
      // The program's own code failed; report the error all the same.
    }
    return error;
  }
}
