import type { Holder } from '../../base/holder.js';
import type { LockView } from '../../base/locker.js';
import { serverHolder } from '../this-process.js';
import { PROCESS, readApplicationName, readComment, shortName } from './comment.js';
import type { Key } from './key.js';
import type { Session } from './session.js';
import { lookStatement } from './statements.js';
import type { Row } from './submission.js';

/** Who has the lock of `name` and who waits for it, as far as this role may know. */
export async function lookAt(session: Session, name: string, key: Key): Promise<LockView> {
  const view: LockView = { holders: [], waiters: [] };
  for (const row of await session.queryAll(lookStatement(key))) {
    const isHolder = row['granted'] === 't';
    (isHolder ? view.holders : view.waiters).push(holderOf(row, name, isHolder));
  }
  return view;
}

function holderOf(row: Row, name: string, isHolder: boolean): Holder<object> {
  const tag = readComment(row['query'] ?? null);
  if (tag === null) {
    // The number of the server's process is no pid on any machine of a client.
    const known = readApplicationName(row['application_name'] ?? null);
    return serverHolder({
      pid: known?.pid ?? null,
      hostname: known?.host ?? null,
      command: null,
      since: null,
      self: false,
    });
  }
  // What was tried first is all that the session can have.
  const isOfName = tag.first || tag.name === shortName(name);
  // Between the grant and the next heartbeat, the server knows when.
  const isGrant = (tag.waits || tag.first) && row['state'] === 'idle';
  const granted = isGrant ? dateOf(row['changed']) : tag.since;
  return serverHolder({
    pid: tag.pid,
    hostname: tag.host,
    command: tag.command,
    since: isHolder && isOfName ? granted : null,
    self: tag.process === PROCESS,
  });
}

function dateOf(milliseconds: string | null | undefined): Date | null {
  return milliseconds ? new Date(Number(milliseconds)) : null;
}
