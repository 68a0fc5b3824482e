import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readText } from '../../base/bounded.js';
import { HOST_NAMES, HOSTS, type HostName } from '../hosts.js';
import { filesOf } from './command.js';
import { moduleOf } from './plugin.js';
import { ownCommands, pluginFile, settingsFile } from './settings.js';

/** A hook of Holdfast in some settings. */
export interface InstalledHook {
  host: HostName;
  file: string;
  /** Whose settings these are. */
  scope: 'user' | 'project';
  /** What to run to see whether it works; `null`: it is no command. */
  probe: [program: string, ...args: string[]] | null;
  /** What is wrong as far as the files show; `null`: nothing. */
  problem: string | null;
  /**
   * What the person has to check: whether the host trusts it, which hosts do
   * not report.
   */
  hint: string | null;
  /** Whether the host has to be told to trust it, and was not as far as its files show. */
  isUntrusted: boolean;
}

/** All that are installed, as far as settings can be read. */
export function installedHooks(
  project: string | null,
  env: NodeJS.ProcessEnv = process.env,
): InstalledHook[] {
  return HOST_NAMES.filter((name) => name !== 'git').flatMap((name) => {
    const places = [['user', null], ...(project === null ? [] : [['project', project]])] as [
      'user' | 'project',
      string | null,
    ][];
    return places.flatMap(([scope, where]) => {
      const found = name === 'opencode' ? pluginIn(where, env) : hookIn(name, where, env);
      return found === null ? [] : [{ host: name, scope, ...found }];
    });
  });
}

/** The hosts that call the hook in a folder: by its own settings, or by the user's. */
export function hostsWithHook(
  project: string | null,
  env: NodeJS.ProcessEnv = process.env,
): Set<HostName> {
  return new Set(installedHooks(project, env).map(({ host }) => host));
}

type Found = Omit<InstalledHook, 'host' | 'scope'>;

function pluginIn(project: string | null, env: NodeJS.ProcessEnv): Found | null {
  const file = pluginFile(project, env);
  const text = textOf(file);
  const module = text === null ? null : moduleOf(text);
  if (module === null) return null;
  const isThere = existsSync(fileURLToPath(module));
  const problem = isThere ? null : `${fileURLToPath(module)} is missing`;
  return { file, probe: null, problem, hint: null, isUntrusted: false };
}

function hookIn(
  name: Exclude<HostName, 'opencode' | 'git'>,
  project: string | null,
  env: NodeJS.ProcessEnv,
): Found | null {
  const file = settingsFile(name, project, env);
  const text = textOf(file);
  if (text === null) return null;
  let settings: unknown;
  try {
    settings = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch {
    if (!/hook\.cjs/.test(text)) return null;
    const problem = 'it is not JSON, so the host ignores it';
    return { file, probe: null, problem, hint: null, isUntrusted: false };
  }
  if (typeof settings !== 'object' || settings === null || Array.isArray(settings)) return null;
  const commands = commandsIn(settings as Record<string, unknown>);
  const [first] = commands;
  if (first === undefined) return null;
  const { node, file: hook } = filesOf(first.command);
  const missing = [node, hook].find((each) => !existsSync(each));
  const isWhole = commands.some(({ event }) => event === HOSTS[name].events.tool);
  const isDisabled = (settings as Record<string, unknown>)['disableAllHooks'] === true;
  const problem =
    missing !== undefined
      ? `${missing} is missing; install the hook again`
      : isDisabled
        ? '"disableAllHooks" is set'
        : isWhole
          ? null
          : `it is not called before a write (${HOSTS[name].events.tool}); install it again`;
  const probe: Found['probe'] = problem === null ? [node, hook, '--for', name, '--probe'] : null;
  const isUntrusted = name === 'codex' && !codexTrusts(file, env);
  const hint = isUntrusted
    ? 'not trusted, so Codex silently skips it: type /hooks in codex'
    : name === 'gemini' && project !== null
      ? 'Gemini runs it only in a folder that you trust'
      : null;
  return { file, probe, problem, hint, isUntrusted };
}

/** Whether Codex was told to trust some hook of this file: its config has a hash of each. */
function codexTrusts(file: string, env: NodeJS.ProcessEnv): boolean {
  const config = join(dirname(settingsFile('codex', null, env)), 'config.toml');
  const text = textOf(config) ?? '';
  return text.includes(`hooks.state.${JSON.stringify(file).slice(0, -1)}`);
}

function commandsIn(settings: Record<string, unknown>): ReturnType<typeof ownCommands> {
  try {
    return ownCommands(settings);
  } catch {
    return [];
  }
}

function textOf(file: string): string | null {
  try {
    return readText(file);
  } catch {
    return null;
  }
}
