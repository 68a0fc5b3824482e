// Where each host has its settings, and what a hook of Holdfast looks like there.
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Host, HostName } from '../hosts.js';
import { type HookCommand, isOurs, plainCommand, toolCommand } from './command.js';

type Json = Record<string, unknown>;

/** A host whose hooks are commands in a JSON file. */
export type SettingsHost = Exclude<HostName, 'opencode' | 'git'>;

/** The user's settings, or those of a project. */
export function settingsFile(
  host: SettingsHost,
  project: string | null,
  env: NodeJS.ProcessEnv = process.env,
): string {
  const home = env['HOME'] || homedir();
  if (project !== null) return join(project, ...IN_PROJECT[host]);
  switch (host) {
    case 'claude-code':
      return join(env['CLAUDE_CONFIG_DIR'] || join(home, '.claude'), 'settings.json');
    case 'codex':
      return join(env['CODEX_HOME'] || join(home, '.codex'), 'hooks.json');
    case 'gemini':
      return join(home, '.gemini', 'settings.json');
    case 'cursor':
      return join(home, '.cursor', 'hooks.json');
  }
}

const IN_PROJECT: Record<SettingsHost, string[]> = {
  // The file that is not committed: the command has paths of this machine.
  'claude-code': ['.claude', 'settings.local.json'],
  codex: ['.codex', 'hooks.json'],
  gemini: ['.gemini', 'settings.json'],
  cursor: ['.cursor', 'hooks.json'],
};

/** The plugin of opencode. */
export function pluginFile(project: string | null, env: NodeJS.ProcessEnv = process.env): string {
  const home = env['HOME'] || homedir();
  const folder =
    project !== null
      ? join(project, '.opencode')
      : join(env['XDG_CONFIG_HOME'] || join(home, '.config'), 'opencode');
  return join(folder, 'plugin', 'holdfast.js');
}

/** The entries of the settings, event by event. */
function entriesFor(command: HookCommand): Record<string, Json> {
  const { host, timeout } = command;
  const { tool, sessionEnd, subagentEnd } = host.events;
  const { files, patches, shells } = host.tools;
  const matcher = [...files, ...Object.keys(patches), ...shells].join('|');
  const entries: Record<string, Json> = {
    [tool]: entry(host, toolCommand(command), timeout, matcher),
  };
  for (const event of [sessionEnd, subagentEnd]) {
    if (event !== null) entries[event] = entry(host, plainCommand(command), timeout, null);
  }
  return entries;
}

function entry(host: Host, line: string, seconds: number, matcher: string | null): Json {
  const timeout = seconds * host.timeoutUnit;
  if (host.name === 'cursor') {
    return { command: line, ...(matcher !== null && { matcher, failClosed: true }), timeout };
  }
  const name = host.name === 'gemini' ? { name: 'holdfast' } : {};
  const hook = { type: 'command', ...name, command: line, timeout };
  return { ...(matcher !== null && { matcher }), hooks: [hook] };
}

/** The settings with the hook in them; what they have stays. Throws where they have another form. */
export function withHook(settings: Json, command: HookCommand): Json {
  const hooks = { ...hooksOf(settings) };
  for (const [event, made] of Object.entries(entriesFor(command))) {
    hooks[event] = replaced(listOf(hooks, event), made);
  }
  const version = command.host.name === 'cursor' ? { version: 1 } : {};
  return { ...version, ...settings, hooks };
}

/** The settings without it. Lists and objects that are empty then go too. */
export function withoutHook(settings: Json): Json {
  if (settings['hooks'] === undefined) return settings;
  const hooks = { ...hooksOf(settings) };
  let found = false;
  for (const event of Object.keys(hooks)) {
    const list = listOf(hooks, event);
    const rest = list.flatMap((each) => stripped(each) ?? []);
    if (JSON.stringify(rest) === JSON.stringify(list)) continue;
    found = true;
    if (rest.length > 0) hooks[event] = rest;
    else delete hooks[event];
  }
  if (!found) return settings;
  const { hooks: _, ...others } = settings;
  return Object.keys(hooks).length > 0 ? { ...settings, hooks } : others;
}

/** The commands of Holdfast in there. */
export function ownCommands(settings: Json): { event: string; command: string }[] {
  return Object.entries(hooksOf(settings)).flatMap(([event, list]) =>
    (Array.isArray(list) ? list : [])
      .flatMap(hooksIn)
      .map((each) => (each as Json)['command'])
      .filter((each): each is string => isOurs(each))
      .map((command) => ({ event, command })),
  );
}

/** In the place of an earlier entry of ours, else at the end. */
function replaced(list: readonly unknown[], made: Json): unknown[] {
  const at = list.findIndex((each) =>
    hooksIn(each).some((hook) => isOurs((hook as Json)?.['command'])),
  );
  if (at < 0) return [...list, made];
  const before = list.slice(0, at);
  const rest = list.slice(at).flatMap((each) => stripped(each) ?? []);
  const isShared = stripped(list[at]) !== null;
  return isShared ? [...before, rest[0], made, ...rest.slice(1)] : [...before, made, ...rest];
}

/** An entry without our hooks; `null`: nothing is left of it. */
function stripped(entry: unknown): unknown {
  const hooks = hooksIn(entry);
  const rest = hooks.filter((each) => !isOurs((each as Json)?.['command']));
  if (rest.length === hooks.length) return entry;
  return rest.length === 0 ? null : { ...(entry as Json), hooks: rest };
}

/** The hooks of a group; Cursor has no groups. */
function hooksIn(entry: unknown): unknown[] {
  const hooks = (entry as Json | null)?.['hooks'];
  return Array.isArray(hooks) ? hooks : [entry];
}

function hooksOf(settings: Json): Json {
  const hooks = settings['hooks'] ?? {};
  if (typeof hooks !== 'object' || hooks === null || Array.isArray(hooks)) {
    throw new UnexpectedSettings('"hooks" is not an object');
  }
  return hooks as Json;
}

function listOf(hooks: Json, event: string): unknown[] {
  const list = hooks[event] ?? [];
  if (!Array.isArray(list)) throw new UnexpectedSettings(`"hooks.${event}" is not a list`);
  return list;
}

/** Settings that are not what the host documents. They are never overwritten. */
export class UnexpectedSettings extends Error {}
