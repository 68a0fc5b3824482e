const CAN_PASS = [
  'EAGAIN',
  'EBUSY',
  'EDQUOT',
  'EIO',
  'EMFILE',
  'ENFILE',
  // Somebody removes the folder again and again.
  'ENOENT',
  'ENOMEM',
  'ENOSPC',
  'ESTALE',
];

/**
 * Whether the same call may succeed later, with nobody changing what it is
 * about. A `.primary` that is a symlink or another user's stays that.
 */
export function canPass(error: unknown): boolean {
  return CAN_PASS.includes(String((error as { code?: unknown }).code));
}

/** Tells of each trouble once, and again when it has changed or come back. */
export class Troubles {
  readonly #told = new Map<string, string>();
  readonly #tell: (error: Error) => void;

  constructor(tell: (error: Error) => void) {
    this.#tell = tell;
  }

  report(what: string, error: Error): void {
    if (this.#told.get(what) === error.message) return;
    this.#told.set(what, error.message);
    this.#tell(error);
  }

  over(what: string): void {
    this.#told.delete(what);
  }
}
