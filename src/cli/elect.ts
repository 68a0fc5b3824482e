import { join } from 'node:path';
import { checkPath } from '../base/arguments.js';
import { isLockError } from '../base/errors.js';
import { describeHolder, formatDuration, type Holder, printable } from '../base/holder.js';
import { Election } from '../election/election.js';
import { type Member, readMembers } from '../election/member-files.js';
import type { ElectionOptions } from '../election/options.js';
import { checkSeat, SEAT } from '../election/seat.js';
import { inspect, type LockStatus } from '../holders/inspect.js';
import { runCommand } from './command.js';
import type { Arena } from './elect-url.js';
import { EXIT, Exit, exitCodeOf, messageOf, usageError } from './exit-codes.js';
import { isLockUrl } from './is-lock-url.js';
import { FLAG, parseLeading, QUIET, TEXT } from './options.js';
import { formatJson, print, type Streams, say, widthOf } from './streams.js';
import { tableLines } from './table.js';
import { parseTime } from './time.js';
import { bytesOf, wellFormed } from './words.js';

export const OPTIONS = { id: TEXT, settle: TEXT, quiet: QUIET } as const;
export const STATUS_OPTIONS = { json: FLAG } as const;

/** `holdfast elect`. */
export async function elect(argv: string[], streams: Streams): Promise<number> {
  const isStatus = argv[0] === 'status';
  const name = isStatus ? 'elect status' : 'elect';
  const rest = isStatus ? argv.slice(1) : argv;
  const { values, operand, command } = parseLeading(
    rest,
    isStatus ? STATUS_OPTIONS : OPTIONS,
    name,
  );
  if (operand === undefined || operand === '') throw usageError('DIR or URL is missing', name);
  try {
    if (isLockUrl(operand)) {
      return await onUrl(operand, isStatus, values, command, streams);
    }
    // It becomes part of the names of the members' files, so it has to be text.
    const directory = checkPath(bytesOf(operand), 'DIR');
    if (isStatus) {
      if (command.length > 0) {
        throw usageError(`unexpected argument '${command[0]}'`, 'elect status');
      }
      return await status(directory, values.has('json'), streams);
    }
    checkCommand(command, operand);
    const settle = values.get('settle') as string | undefined;
    const id = values.get('id') as string | undefined;
    const options = {
      id,
      settle: settle === undefined ? undefined : parseTime(settle, '--settle', 'elect'),
      data: { command: wellFormed(command.join(' ').slice(0, LONGEST_COMMAND)) },
    };
    return await campaign(directory, options, command, streams, values.has('quiet'), undefined);
  } catch (error) {
    const code = exitCodeOf(error);
    if (error instanceof Exit || code === EXIT.software) throw error;
    if (values.has('quiet') && code === EXIT.refused) return code;
    throw new Exit(code, messageOf(error));
  }
}

const LONGEST_COMMAND = 1000;

async function onUrl(
  typed: string,
  isStatus: boolean,
  values: ReadonlyMap<string, unknown>,
  command: string[],
  streams: Streams,
): Promise<number> {
  const { electOnUrl, electStatusOnUrl } = await import('./elect-url.js');
  if (!isStatus) {
    checkCommand(command, typed);
    return electOnUrl(typed, values, command, (arena) =>
      campaign(arena.name, arena.options, command, streams, values.has('quiet'), arena),
    );
  }
  if (command.length > 0) throw usageError(`unexpected argument '${command[0]}'`, 'elect status');
  return electStatusOnUrl(typed, values.has('json'), streams);
}

function checkCommand(command: readonly string[], operand: string): void {
  if (command.length === 0) throw usageError(`COMMAND is missing after ${operand}`, 'elect');
}

async function campaign(
  place: string,
  options: ElectionOptions,
  command: string[],
  streams: Streams,
  quiet: boolean,
  arena: Arena | undefined,
): Promise<number> {
  const election = await Election.join(place, options);
  election.on('error', (error) => {
    const retries = !isLockError(error) && !election.isPrimary;
    const end = retries ? '; trying again each second' : '';
    say(streams, (arena?.describe(error) ?? messageOf(error)) + end);
  });
  const tell = (): void => {
    tellWhoLeads(election, streams).catch((error: unknown) => {
      // The election itself says what a server, or the way to it, has.
      if (arena === undefined && !isLockError(error)) say(streams, (error as Error).message);
    });
  };
  let hasRun = false;
  const waiting = quiet ? undefined : setTimeout(tell, TELL_MILLISECONDS);
  try {
    // If the seat is lost, the command ends first, and the seat is released then.
    return await election.lead(
      async ({ term, fd, signal }) => {
        clearTimeout(waiting);
        arena?.onPrimary();
        const status = await runCommand(command, fd, {
          ...arena?.running,
          environment: { HOLDFAST_TERM: String(term) },
          end: signal,
          caller: streams.caller,
        });
        hasRun = true;
        return signal.aborted ? (arena?.lost ?? status) : status;
      },
      { signal: arena?.waiting },
    );
  } finally {
    clearTimeout(waiting);
    // Keep the seat: a child that the command has left in the background is
    // primary while it has the descriptor.
    await election.leave({ keepSeat: hasRun && arena?.keepSeat !== false });
  }
}

// If the member becomes primary sooner, print nothing.
const TELL_MILLISECONDS = 200;

async function tellWhoLeads(election: Election<object>, streams: Streams): Promise<void> {
  const primary = await election.primary();
  const who = primary === null ? '' : `; primary is ${describe(primary)}`;
  if (!election.isPrimary) say(streams, `standing by as ${printable(election.id)}${who}`);
}

function describe({ id, pid, since }: Member<object>): string {
  const age =
    since === null ? '' : `, a member for ${formatDuration(Date.now() - since.getTime())}`;
  return `${printable(id)} (pid ${pid ?? '?'}${age})`;
}

/** Shows the members and who has the seat: after `kill -9` of a member, maybe only its command. */
async function status(typed: string, json: boolean, streams: Streams): Promise<number> {
  const directory = checkPath(typed, 'DIR');
  const members = readMembers<{ command?: unknown }>(directory);
  const { seat, problem } = await inspectSeat(directory);
  if (json) {
    const report = { members, primary: seat, ...(problem !== null && { problem }) };
    print(streams, formatJson(report));
    return EXIT.ok;
  }
  if (members.length === 0) print(streams, 'no members');
  else {
    const rows = members.map(({ id, pid, since, primary, data }) => [
      printable(id),
      primary ? 'primary' : 'standby',
      String(pid ?? '-'),
      since === null ? '-' : formatDuration(Date.now() - since.getTime()),
      commandOf(data),
    ]);
    const head = ['MEMBER', 'STATE', 'PID', 'FOR', 'COMMAND'];
    print(streams, tableLines([head, ...rows], widthOf(streams.stdout)));
  }
  if (problem !== null) print(streams, `no member can be primary: ${printable(problem)}`);
  const leads = members.some(({ primary }) => primary);
  if (seat?.state === 'held' && !leads) {
    const [holder = null] = seat.holders as Holder[];
    print(streams, `the seat is held by ${describeHolder(holder)}, which is not a member`);
  }
  return EXIT.ok;
}

/** If the seat cannot be read, still show the members. */
async function inspectSeat(
  directory: string,
): Promise<{ seat: LockStatus | null; problem: string | null }> {
  try {
    checkSeat(directory);
    return { seat: await inspect(join(directory, SEAT)), problem: null };
  } catch (error) {
    return { seat: null, problem: (error as Error).message };
  }
}

/** A member's file may hold anything. */
function commandOf(data: { command?: unknown } | null): string {
  return typeof data?.command === 'string' ? printable(data.command) : '-';
}
