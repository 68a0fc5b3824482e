/**
 * Who called, with those that await, as lines of a stack. It is formatted when
 * it is asked for. Programs that map sources may have put anything in it.
 */
export class Callers {
  readonly #origin: Error;

  /** `frames`: at most so many; default: as many as an error has. */
  constructor(frames?: number) {
    const limit = Error.stackTraceLimit;
    // Set with Reflect, which does not throw where Error is frozen.
    if (frames !== undefined) Reflect.set(Error, 'stackTraceLimit', frames);
    this.#origin = new Error();
    if (frames !== undefined) Reflect.set(Error, 'stackTraceLimit', limit);
  }

  get lines(): string[] {
    return String(this.#origin.stack)
      .split('\n')
      .filter((line) => /^\s+at /.test(line));
  }

  /** For an error of a callback, whose own stack shows nobody. */
  putInto<E>(error: E): E {
    if (!(error instanceof Error)) return error;
    const own = String(error.stack);
    const end = own.search(/\n\s+at /);
    const head = end < 0 ? own : own.slice(0, end);
    Reflect.set(error, 'stack', [head, ...this.lines].join('\n'));
    return error;
  }
}
