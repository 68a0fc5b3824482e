import { resolve } from 'node:path';
import { type Host, PATH_FIELDS } from './hosts.js';
import { bothReadings, patchedPaths } from './patch.js';

/** Who calls, as the host says it. */
export interface Caller {
  /** The host's id of the session; `null` if it gives none. */
  session: string | null;
  /** Its id of the sub-agent; `null`: the session itself. */
  subagent: string | null;
  /** The tool's working directory, absolute. */
  cwd: string;
}

/** What a host tells its hook. */
export type HookInput =
  /** A tool is about to write these files, absolute. */
  | ({ kind: 'write'; paths: string[] } & Caller)
  | ({ kind: 'shell'; command: string } & Caller)
  | ({ kind: 'session-end' | 'subagent-end' } & Caller)
  /** Nothing that concerns claims. */
  | { kind: 'nothing' }
  | { kind: 'unreadable'; reason: string };

type Fields = Record<string, unknown>;

/** Reads what a host wrote to its hook. Never throws: what it does not understand has a reason. */
export function readInput(text: string, host: Host): HookInput {
  if (text.trim() === '') return unreadable('it is empty');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return unreadable('it is not JSON');
  }
  if (!isFields(value)) return unreadable('it is not a JSON object');
  return understand(value, host);
}

/** The same for a host that calls with an object. */
export function understand(input: Fields, host: Host): HookInput {
  const event = input['hook_event_name'];
  const { tool, sessionEnd, subagentEnd } = host.events;
  if (event !== undefined && typeof event !== 'string') {
    return unreadable('"hook_event_name" is not a string');
  }
  const caller = callerOf(input);
  if (typeof caller === 'string') return unreadable(caller);
  if (event !== undefined && event === sessionEnd) return { kind: 'session-end', ...caller };
  if (event !== undefined && event === subagentEnd) return { kind: 'subagent-end', ...caller };
  if (event !== undefined && event !== tool) return { kind: 'nothing' };
  const name = input['tool_name'];
  if (typeof name !== 'string') return unreadable('"tool_name" is not a string');
  return underTool(name, input['tool_input'], { host, caller });
}

function underTool(
  name: string,
  given: unknown,
  { host, caller }: { host: Host; caller: Caller },
): HookInput {
  const { files, patches, shells } = host.tools;
  const field = Object.hasOwn(patches, name) ? patches[name] : undefined;
  const isShell = shells.includes(name);
  if (field === undefined && !isShell && !files.includes(name)) return { kind: 'nothing' };
  if (!isFields(given)) return unreadable(`"tool_input" of ${name} is not an object`);
  const cwd = isShell ? shellFolder(given, caller.cwd) : caller.cwd;
  if (field !== undefined || isShell) {
    const text = given[field ?? 'command'];
    if (typeof text !== 'string') {
      return unreadable(`"${field ?? 'command'}" of ${name} is not a string`);
    }
    if (field === undefined) return { kind: 'shell', command: text, ...caller, cwd };
    return writing(patchedPaths(text), `the patch of ${name}`, caller);
  }
  const paths = PATH_FIELDS.map((each) => given[each]).filter((each) => each !== undefined);
  return writing(paths, name, caller);
}

function writing(paths: unknown[], what: string, caller: Caller): HookInput {
  if (paths.length === 0) return unreadable(`${what} names no file`);
  const texts = paths.filter((each) => typeof each === 'string');
  if (texts.length < paths.length) return unreadable(`a path of ${what} is not a string`);
  if (texts.some((each) => each === '')) return unreadable(`a path of ${what} is empty`);
  if (texts.some((each) => each.includes('\0'))) return unreadable(`a path of ${what} has a NUL`);
  const absolute = texts.flatMap((each) => bothReadings(each, caller.cwd));
  return { kind: 'write', paths: [...new Set(absolute)], ...caller };
}

/** Where a shell tool runs its command, if it says so. */
function shellFolder(given: Fields, cwd: string): string {
  const names = ['workdir', 'working_directory', 'dir_path', 'directory', 'cwd'];
  const folder = names.map((name) => given[name]).find((each) => typeof each === 'string');
  return folder === undefined ? cwd : resolve(cwd, folder as string);
}

/** The caller, or what is wrong with its fields. */
function callerOf(input: Fields): Caller | string {
  const session = input['session_id'] ?? input['conversation_id'] ?? null;
  const subagent = input['agent_id'] ?? input['subagent_id'] ?? null;
  const roots = input['workspace_roots'];
  const cwd = input['cwd'] ?? (Array.isArray(roots) ? roots[0] : undefined) ?? process.cwd();
  if (session !== null && typeof session !== 'string') return '"session_id" is not a string';
  if (subagent !== null && typeof subagent !== 'string') return '"agent_id" is not a string';
  if (typeof cwd !== 'string' || cwd.includes('\0')) return '"cwd" is not a path';
  return { session: session || null, subagent: subagent || null, cwd: resolve(cwd) };
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function unreadable(reason: string): HookInput {
  return { kind: 'unreadable', reason };
}
