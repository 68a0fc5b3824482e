import type { Host } from '../hosts.js';

/** What an installed hook runs. */
export interface HookCommand {
  host: Host;
  /** Node's program, absolute: a host may have another PATH. */
  node: string;
  /** The file of the hook, absolute. */
  file: string;
  /** The host's time-out, in seconds. */
  timeout: number;
  /** Further options: `--unclaimed deny`, `--dir DIR`. */
  options: readonly string[];
}

/** How long the host waits for its hook, in seconds. The section gives up after 10. */
export const HOOK_TIMEOUT_SECONDS = 30;

/**
 * The shell line for the event before a tool. Hosts let the write through on
 * every failure but exit status 2 with text on standard error, so that is what
 * any other failure becomes: node or the file is gone, or a crash.
 */
export function toolCommand(command: HookCommand): string {
  const { host } = command;
  const problem = `holdfast: the hook that checks claims failed with status $s, so nothing was done. Ask the person to run: holdfast doctor . (or, to work without claims: holdfast claim install-hook --for ${host.name} --remove)`;
  return `${plainCommand(command)} || { s=$?; [ $s = 2 ] || echo "${problem}" >&2; exit 2; }`;
}

/** For the end of a session or sub-agent, which no failure must stop. */
export function plainCommand({ host, node, file, timeout, options }: HookCommand): string {
  const words = ['--for', host.name, '--timeout', `${timeout}s`, ...options];
  return [quote(node), quote(file), ...words.map(quoteIfNeeded)].join(' ');
}

/** Whether a command of some settings is an installed hook of Holdfast. */
export function isOurs(command: unknown): boolean {
  return typeof command === 'string' && OURS.test(command);
}

const OURS = /^'(?:[^']|'\\'')*' '(?:[^']|'\\'')*hook\.cjs' --for [a-z-]+/;
const QUOTED = /'((?:[^']|'\\'')*)'/g;

/** Node and the file of an installed hook. */
export function filesOf(command: string): { node: string; file: string } {
  const [node = '', file = ''] = [...command.matchAll(QUOTED)].map(([, text = '']) =>
    text.replaceAll(`'\\''`, `'`),
  );
  return { node, file };
}

/** A word for a POSIX shell. */
export function quote(word: string): string {
  return `'${word.replaceAll(`'`, `'\\''`)}'`;
}

function quoteIfNeeded(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : quote(word);
}
