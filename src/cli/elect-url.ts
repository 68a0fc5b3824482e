import { formatDuration, type Holder, printable } from '../base/holder.js';
import type { ElectionOptions } from '../election/options.js';
import type { CommandOptions } from './command.js';
import { EXIT, usageError } from './exit-codes.js';
import { parseLockUrl } from './lock-url.js';
import { lookAt, type ServerStatus } from './status-url.js';
import { formatJson, print, type Streams, widthOf } from './streams.js';
import { tableLines } from './table.js';
import { commandText, describeFailure, failure, whileOpen } from './url-locker.js';

/** What an election on a server needs from the command, in place of a folder. */
export interface Arena {
  name: string;
  options: ElectionOptions;
  /** A child keeps the seat as long as it has the descriptor. */
  keepSeat: boolean;
  /** How the command is run. */
  running: CommandOptions;
  /** The exit status after the seat was lost. */
  lost: number;
  /** Ends the wait for the seat. */
  waiting: AbortSignal;
  /** The command begins. */
  onPrimary: () => void;
  describe: (error: Error) => string;
}

/** `holdfast elect` for the lock of a server: calls `campaign` with what it stands on. */
export function electOnUrl(
  typed: string,
  values: ReadonlyMap<string, unknown>,
  command: readonly string[],
  campaign: (arena: Arena) => Promise<number>,
): Promise<number> {
  for (const option of ['id', 'settle']) {
    if (values.has(option)) throw usageError(`--${option} is for folders, not for a URL`, 'elect');
  }
  const url = parseLockUrl(typed, 'elect');
  return whileOpen(url, commandText(command), (locker, wait) =>
    campaign({
      name: url.name,
      options: { locker },
      keepSeat: url.engine === 'postgres',
      running: { isSocket: true, endWithParent: url.engine === 'etcd' },
      lost: EXIT.data,
      waiting: wait.signal,
      onPrimary: () => wait.end(),
      describe: (error) => describeFailure(error, url),
    }).catch((error: unknown) => {
      throw failure(error, url);
    }),
  );
}

/** `holdfast elect status` for the lock of a server. */
export async function electStatusOnUrl(
  typed: string,
  json: boolean,
  streams: Streams,
): Promise<number> {
  const url = parseLockUrl(typed, 'elect');
  const status = await whileOpen(url, 'holdfast elect status', async (locker) => {
    return lookAt(locker, url).catch((error: unknown) => {
      throw failure(error, url);
    });
  });
  const members = membersIn(status);
  if (json) print(streams, formatJson({ members, primary: status }));
  else if (members.length === 0) print(streams, 'no members');
  else {
    const rows = members.map((member) => [
      member.id,
      member.primary ? 'primary' : 'standby',
      String(member.pid ?? '-'),
      member.since === null ? '-' : formatDuration(Date.now() - member.since.getTime()),
      member.command === null ? '-' : printable(member.command),
    ]);
    const head = ['MEMBER', 'STATE', 'PID', 'FOR', 'COMMAND'];
    print(streams, tableLines([head, ...rows], widthOf(streams.stdout)));
  }
  return EXIT.ok;
}

/** The primary first, then the others in the order of the server. */
function membersIn({ holders, waiters }: ServerStatus) {
  const memberOf = (holder: Holder<object>, primary: boolean) => {
    const { pid, hostname, since, self, command } = holder;
    const id = `${printable(hostname ?? 'unknown')}:${pid ?? 'unknown'}`;
    return { id, pid, since, self, primary, hostname, command };
  };
  return [
    ...holders.map((holder) => memberOf(holder, true)),
    ...waiters.map((waiter) => memberOf(waiter, false)),
  ];
}
