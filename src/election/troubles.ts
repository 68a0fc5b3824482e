/** The delay before a retry after an error that can pass, in milliseconds. */
export const RETRY_MILLISECONDS = 1000;

const CAN_PASS = [
  'EAGAIN',
  'EBUSY',
  'EDQUOT',
  'EIO',
  'EMFILE',
  'ENFILE',
  // Another program removes the folder again and again.
  'ENOENT',
  'ENOMEM',
  'ENOSPC',
  'ESTALE',
];

/**
 * Whether the same call may succeed later although nobody changes the file.
 * A `.primary` that is a symlink or belongs to another user does not change.
 */
export function canPass(error: unknown): boolean {
  return CAN_PASS.includes(String((error as { code?: unknown }).code));
}

/** Reports each error once, and again when it has changed or come back. */
export class Troubles {
  readonly #reported = new Map<string, string>();
  readonly #report: (error: Error) => void;

  constructor(report: (error: Error) => void) {
    this.#report = report;
  }

  report(what: string, error: Error): void {
    if (this.#reported.get(what) === error.message) return;
    this.#reported.set(what, error.message);
    this.#report(error);
  }

  over(what: string): void {
    this.#reported.delete(what);
  }
}
