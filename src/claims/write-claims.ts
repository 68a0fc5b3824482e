import { constants, lstatSync, type WriteFileOptions, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryName } from '../base/temporary-name.js';
import { FileLock } from '../lock/file-lock.js';
import { CLAIM_SUFFIX } from './claim-file.js';
import {
  type Edit,
  EditJournal,
  isEdit,
  type StagedMove,
  type Step,
  stagedName,
} from './edit-journal.js';
import type { Journal } from './journal.js';
import { removeIfThere } from './missing.js';
import type { Found } from './model.js';

/** A new content of a claim's file, which replaces it; its claim's lock with `bind`. */
export interface Draft {
  agent: string;
  text: string;
  bind: boolean;
}

/** A claim whose file is changed in place, or with `null` removed. */
export interface Amendment {
  found: Found;
  text: string | null;
}

export type Change = Draft | Amendment;

/**
 * Carries out all changes, or none. Returns the locks of what is bound now, in
 * their order. `folder` is that of `journal`, in its exclusive section.
 */
export function writeClaims(
  folder: string,
  journal: Journal,
  changes: readonly Change[],
): (FileLock | null)[] {
  const [only] = changes;
  if (changes.length === 1 && only !== undefined && 'found' in only && only.text === null) {
    removeIfThere(only.found.file);
    return [null];
  }
  // With nothing but renames, Holdfast 0.1.0 can finish the journal as well.
  const areMoves = changes.every((each) => 'agent' in each);
  if (areMoves && changes.length > 1) journal.checkName();
  const edits = areMoves ? null : new EditJournal(folder);
  const steps: Step[] = changes.map((change) => {
    if ('found' in change) return editOf(change);
    const from = areMoves ? temporaryName('.tmp') : stagedName();
    return { from, to: `${change.agent}${CLAIM_SUFFIX}` };
  });
  const moves = steps.filter((step): step is StagedMove => !isEdit(step));
  const locks: (FileLock | null)[] = [];
  try {
    changes.forEach((change, index) => {
      const { from } = steps[index] as Partial<StagedMove>;
      locks.push(from === undefined ? null : stage(join(folder, from), change as Draft));
    });
    if (edits === null) journal.commit(moves);
    else edits.commit(steps);
  } catch (error) {
    for (const lock of locks) lock?.releaseSync();
    for (const { from } of moves) removeIfThere(join(folder, from));
    throw error;
  }
  // From here on they are claimed, whatever happens.
  if (edits !== null) edits.finish();
  else if (moves.length > 1) journal.finish();
  return locks;
}

/** Writes a file that nobody takes for a claim yet. */
function stage(path: string, { text, bind }: Draft): FileLock | null {
  // Locked before anybody can see it.
  const lock = bind ? FileLock.tryAcquire(path, { record: false, permissions: 0o666 }) : null;
  try {
    // A bound claim goes into the very file that is locked; 'wx' would refuse it.
    const flag = bind ? constants.O_RDWR | constants.O_NOFOLLOW : 'wx';
    writeFileSync(path, text, { flag } as WriteFileOptions);
  } catch (error) {
    lock?.releaseSync();
    throw error;
  }
  return lock;
}

function editOf({ found, text }: Amendment): Edit {
  const { location, agent, claim } = found;
  const { ino } = lstatSync(location, { bigint: true });
  return { to: `${agent}${CLAIM_SUFFIX}`, inode: String(ino), id: claim?.id ?? null, text };
}
