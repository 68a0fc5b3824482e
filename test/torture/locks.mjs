/**
 * The few locks that all fight for, by what may happen to their files, because
 * that decides what is promised (docs/semantics.md):
 *
 * - kept: nobody removes or replaces the file. One exclusive holder or any
 *   number of shared ones per path, whichever program asks: flock(1) and Python as well.
 *   Tokens grow strictly, where all write a JSON record.
 * - removed: `keepFile: false` and instance locks. The same per path, among
 *   those who compare path and descriptor; so no foreign holders. A held lock
 *   is current. Tokens grow strictly as long as the file lives.
 * - replaced: unlinked, replaced and stolen as well. A lock is on a file, not
 *   on a path: both promises hold per file, and a waiter of a file that is
 *   gone may need a second to see it.
 */
export const LOCKS = [
  { name: 'kept', files: 'kept', tokens: true, foreign: true, wakeUp: 1000 },
  { name: 'mixed', files: 'kept', tokens: false, foreign: true, wakeUp: 1000 },
  { name: 'removed', files: 'removed', tokens: true, foreign: false, wakeUp: 1000 },
  { name: 'replaced', files: 'replaced', tokens: true, foreign: false, wakeUp: 3000 },
].map((lock, index) => ({ ...lock, index }));
