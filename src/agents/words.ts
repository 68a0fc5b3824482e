// What a model or a person reads. Each refusal says why, and what to do.
import { printable } from '../base/holder.js';
import { promptWord } from '../base/shell-word.js';
import type { ClaimStatus } from '../claims/types.js';
import { ownCommand } from '../native/own-command.js';
import type { Seen } from './claims-of-session.js';
import type { NamedByGit, TreeWide } from './git-changes.js';
import type { Host } from './hosts.js';
import type { Session } from './session.js';

const MOST = 5;

export function otherHas(session: Session, others: readonly Seen[], now: number): string {
  const what = 'Holdfast: not written, because another agent is working there.';
  return whoseTheyAre(session, what, others, now);
}

/** Of a git command that would change these paths. */
export function gitOnOthers(
  session: Session,
  { command }: NamedByGit,
  others: readonly Seen[],
): string {
  const what = `Holdfast: "${printable(command)}" was not run. It changes what another agent is working on, whose uncommitted work would be lost.`;
  return whoseTheyAre(session, what, others, Date.now());
}

function whoseTheyAre(
  session: Session,
  what: string,
  others: readonly Seen[],
  now: number,
): string {
  const path = others[0]?.path ?? '';
  const lines = others.slice(0, MOST).map((each) => {
    const entry = each.matchedBy === null ? '' : ` (it claims ${printable(each.matchedBy)})`;
    return `${printable(each.path)} is claimed by ${describeOwner(each.owner, now)}${entry}.`;
  });
  const more = others.length - lines.length;
  const isSiblings = ({ owner }: Seen): boolean =>
    session.parent !== null && owner?.parent === session.parent;
  return [
    what,
    ...lines,
    ...(more > 0 ? [`And ${more} more paths.`] : []),
    ...(others.some(isSiblings) ? LEAVE_TO_SIBLING : whatToDo(session, path)),
  ].join('\n');
}

/** The commands and tools claim for the session, which may have it already. */
const LEAVE_TO_SIBLING = [
  'It is another sub-agent of your session. Do not write it in another way. Do one of these:',
  '- work on another file first, and come back to this one: you can write it when that sub-agent has ended;',
  '- or end, and say in your answer what is still to be done in this file.',
];

/** Another session that runs goes by this name; `pid`: if it runs here. */
export function nameIsTaken(agent: string, pid: number | null): string {
  const who = pid === null ? 'another session' : `another session (pid ${pid})`;
  return [
    `Holdfast: not written, because ${who} has claims under the name ${printable(agent)}, which this session has as well. Each session needs its own name.`,
    'Ask the person to start this session with another HOLDFAST_AGENT, or without one, which gives it a name of its own.',
  ].join('\n');
}

/** Nobody has it, and yet it is not this agent's turn. */
export function notGranted(session: Session, fresh: readonly Seen[], why: string): string {
  const path = fresh[0]?.path ?? '';
  return [`Holdfast: not written: ${why}.`, ...whatToDo(session, path)].join('\n');
}

function whatToDo(session: Session, path: string): string[] {
  const { nameToGive } = session;
  // Else it claims for another session of the same process.
  const tool =
    nameToGive === null
      ? ['- call the tool "claim" of the MCP server holdfast with wait_seconds, if you have it;']
      : [];
  return [
    'Do not write it in another way. Do one of these:',
    ...tool,
    `- ${tool.length > 0 ? 'or ' : ''}run: ${ownCommand()} claim wait${agentOption(session)} ${promptWord(path)} -w 100s  (ends when it is your turn, and the path is then yours; with status 75 it is not: run it again)`,
    '- or work on another file first, and come back to this one.',
  ];
}

function describeOwner(owner: ClaimStatus | null, now: number): string {
  if (owner === null) return 'another agent';
  const task = owner.task === null ? '' : `, for "${printable(owner.task)}"`;
  const since = owner.lockedAt === null ? '' : `, for ${age(now - owner.lockedAt.getTime())} now`;
  return `${printable(owner.agent)}${task}${since}`;
}

export function mustClaim(session: Session, fresh: readonly Seen[]): string {
  const paths = fresh.slice(0, MOST).map(({ path }) => promptWord(path));
  const command = `${ownCommand()} claim add${agentOption(session)} ${paths.join(' ')}`;
  return [
    'Holdfast: not written, because nobody has claimed it, and writes need a claim here.',
    ...(session.nameToGive === null
      ? [
          'First call the tool "claim" of the MCP server holdfast, if you have it,',
          `or run: ${command}`,
        ]
      : [`First run: ${command}`]),
  ].join('\n');
}

function agentOption({ nameToGive }: Session): string {
  return nameToGive === null ? '' : ` --agent ${promptWord(nameToGive)}`;
}

export function treeWide({ command, cwd }: TreeWide, others: readonly ClaimStatus[]): string {
  const names = others.slice(0, MOST).map((each) => {
    const task = each.task === null ? '' : ` ("${printable(each.task)}")`;
    const scope = [...each.directories, ...each.files].slice(0, 3).map(printable).join(' ');
    return `- ${printable(each.agent)}${task}: ${scope}`;
  });
  const more = others.length - names.length;
  return [
    `Holdfast: "${printable(command)}" was not run. It changes files all over ${printable(cwd)}, where other agents have claims:`,
    ...names,
    ...(more > 0 ? [`and ${more} more`] : []),
    'Their uncommitted work would be lost. Name only your own paths (git restore -- PATH, git stash push -- PATH),',
    `or use a working tree of your own (git worktree add), or wait until they are done (${ownCommand()} claim list).`,
  ].join('\n');
}

export function onlyPeople(what: string): string {
  return [
    `Holdfast: not done. ${what}`,
    'Only a person may do that. Tell the person what you need it for, and ask them to run it in a terminal of their own.',
  ].join('\n');
}

export function notUnderstood(host: Host, reason: string): string {
  return [
    `Holdfast: not done, because it does not understand what ${host.title} says about this call: ${printable(reason)}.`,
    ...wayOut(host),
  ].join('\n');
}

export function failed(host: Host, error: unknown): string {
  const { code, message } = Object(error) as { code?: unknown; message?: unknown };
  const what = typeof message === 'string' ? message : String(error);
  const known = typeof code === 'string' && !what.includes(code) ? ` (${code})` : '';
  const lines = [
    `Holdfast: not done, because the claims cannot be read or changed: ${what}${known}`,
  ];
  if (code === 'ERR_CLAIM_INVALID') {
    lines.push(
      `To move a file that is not a valid claim out of the way: ${ownCommand()} claim set-aside FILE`,
    );
  }
  return [...lines, ...wayOut(host)].join('\n');
}

export function tooLate(host: Host, seconds: number): string {
  return [
    `Holdfast: not done, because nothing was decided within ${seconds}s. A process that changes claims may be stopped, or this machine is busy: try again.`,
    ...wayOut(host),
  ].join('\n');
}

export function endless(host: Host, seconds: number): string {
  return notUnderstood(host, `its input did not end within ${seconds}s`);
}

export function noSession(host: Host): string {
  return [
    `Holdfast: not done, because ${host.title} does not say which session this is.`,
    ...wayOut(host),
  ].join('\n');
}

function wayOut(host: Host): string[] {
  const own = ownCommand();
  return [
    `To find the cause: ${own} doctor . A person can let agents work without claims for a time (${own} claim bypass 10m), or remove the hook (${own} claim install-hook --for ${host.name} --remove). Ask the person.`,
  ];
}

export function bypassed(until: Date, others: readonly Seen[]): string {
  const owners = [
    ...new Set(others.map(({ owner }) => printable(owner?.agent ?? 'another agent'))),
  ];
  const whose = owners.length === 0 ? '' : ` This path is claimed by ${owners.join(', ')}.`;
  return `Holdfast: a person lets all writes through until ${until.toISOString().slice(0, 19)}Z.${whose}`;
}

export function awaited(waiters: readonly string[]): string {
  const names = waiters.map(printable).join(', ');
  return `Holdfast: ${names} waits for what you have claimed. When you are done with a file, release it: the tool "release" of the MCP server holdfast, or ${ownCommand()} claim release PATH`;
}

/** `12m`. */
function age(milliseconds: number): string {
  const minutes = Math.floor(milliseconds / 60_000);
  if (minutes < 1) return `${Math.max(0, Math.floor(milliseconds / 1000))}s`;
  return minutes < 120 ? `${minutes}m` : `${Math.floor(minutes / 60)}h`;
}
