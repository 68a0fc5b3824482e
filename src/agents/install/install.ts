import { basename, join } from 'node:path';
import type { Host } from '../hosts.js';
import { HOOK_TIMEOUT_SECONDS, type HookCommand } from './command.js';
import { EARLIER_SUFFIX, GIT_HOOK_MARK, gitHookText } from './git-hook.js';
import { lineDiff } from './line-diff.js';
import { PLUGIN_MARK, pluginText } from './plugin.js';
import {
  pluginFile,
  type SettingsHost,
  settingsFile,
  UnexpectedSettings,
  withHook,
  withoutHook,
} from './settings.js';
import { CannotInstall, checkWritable, readTarget, type Target, writeTarget } from './target.js';

/** The files of this package that an installed hook runs. */
export interface Package {
  node: string;
  /** What hosts run, and what opencode's plugin loads. */
  hook: string;
  command: string;
}

export interface InstallRequest {
  host: Host;
  /** The top of the working tree; `null`: for the user, in all projects. */
  project: string | null;
  remove: boolean;
  package: Package;
  unclaimed: string | null;
  directory: string | null;
  /** Of git: the folder with its hooks. */
  gitHooks: string | null;
  env?: NodeJS.ProcessEnv;
}

/** What an installation would do. */
export interface Installation {
  file: string;
  /** Empty: it is done already. */
  diff: string[];
  /** What the person has to know or to do. */
  notes: string[];
  /** Throws {@link CannotInstall}; then nothing is changed. */
  apply(): void;
}

/** Throws {@link CannotInstall}. Changes nothing. */
export function planInstallation(request: InstallRequest): Installation {
  const { name } = request.host;
  if (name === 'git') return planGit(request);
  if (name === 'opencode') return planPlugin(request);
  return planSettings(request, name);
}

function planSettings(request: InstallRequest, name: SettingsHost): Installation {
  const { host, project, remove, env } = request;
  const target = readTarget(settingsFile(name, project, env));
  const text = target.text ?? '';
  const command: HookCommand = {
    host,
    node: request.package.node,
    file: request.package.hook,
    timeout: HOOK_TIMEOUT_SECONDS,
    options: optionsOf(request),
  };
  const change = (settings: Record<string, unknown>): Record<string, unknown> =>
    remove ? withoutHook(settings) : withHook(settings, command);
  let after: string | null;
  try {
    const settings = parseSettings(text, target.file);
    const changed = change(settings);
    const isSame = JSON.stringify(changed) === JSON.stringify(settings);
    after = isSame ? target.text : isEmpty(changed) && remove ? null : format(changed, text);
  } catch (error) {
    if (!(error instanceof UnexpectedSettings)) throw error;
    const wanted = remove ? '' : format(change({}), '');
    throw new UnchangedSettings(
      `${target.file} was left unchanged: ${error.message}`,
      lineDiff('', wanted),
    );
  }
  return installation(target, after, notesFor(request, target));
}

/** Settings that are not what they should be, with what would have to be in them. */
export class UnchangedSettings extends CannotInstall {
  readonly diff: string[];

  constructor(message: string, diff: string[]) {
    super('settings', message);
    this.diff = diff;
  }
}

function parseSettings(text: string, file: string): Record<string, unknown> {
  if (text.trim() === '') return {};
  let value: unknown;
  try {
    value = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch {
    throw new UnexpectedSettings(`${basename(file)} is not JSON`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new UnexpectedSettings(`${basename(file)} is not a JSON object`);
  }
  return value as Record<string, unknown>;
}

/** As the file was: its indentation, its last line feed, its byte order mark. */
function format(value: object, before: string): string {
  const indent = /^[[{]\s*\n([ \t]+)/.exec(before.replace(/^\uFEFF/, ''))?.[1] ?? 2;
  const end = before === '' || before.endsWith('\n') ? '\n' : '';
  const text = `${JSON.stringify(value, null, indent)}${end}`;
  const lines = before.includes('\r\n') ? text.replaceAll('\n', '\r\n') : text;
  return before.startsWith('\uFEFF') ? `\uFEFF${lines}` : lines;
}

function isEmpty(value: Record<string, unknown>): boolean {
  const keys = Object.keys(value);
  return keys.length === 0 || (keys.length === 1 && keys[0] === 'version');
}

function planPlugin(request: InstallRequest): Installation {
  const target = readTarget(pluginFile(request.project, request.env));
  if (target.text !== null && !target.text.startsWith(PLUGIN_MARK)) {
    throw new CannotInstall('settings', `${target.file} is another plugin, and was left unchanged`);
  }
  const { unclaimed, directory } = request;
  const options = {
    ...(unclaimed !== null && { unclaimed }),
    ...(directory !== null && { directory }),
  };
  const after = request.remove ? null : pluginText(request.package.hook, options);
  return installation(target, after, notesFor(request, target));
}

function planGit(request: InstallRequest): Installation {
  if (request.gitHooks === null) {
    throw new CannotInstall('settings', 'the working directory is in no git repository');
  }
  const file = join(request.gitHooks, 'pre-commit');
  const target = readTarget(file);
  const earlier = readTarget(`${file}${EARLIER_SUFFIX}`);
  const isOurs = target.text?.includes(GIT_HOOK_MARK) === true;
  const directory = request.directory === null ? [] : ['--dir', request.directory];
  const { node, command } = request.package;
  if (request.remove) {
    const after = isOurs ? earlier.text : target.text;
    const made = installation(target, after, notesFor(request, target));
    return {
      ...made,
      apply: () => {
        if (!isOurs) return;
        made.apply();
        if (earlier.text === null) return;
        writeTarget({ ...target, mode: earlier.mode }, earlier.text);
        writeTarget(earlier, null);
      },
    };
  }
  const after = gitHookText(node, command, directory);
  const made = installation({ ...target, mode: 0o755 }, after, notesFor(request, target));
  if (isOurs || target.text === null) return made;
  if (earlier.text !== null) {
    throw new CannotInstall(
      'settings',
      `${earlier.file} already exists, so nothing was changed: move it away first`,
    );
  }
  const note = `The earlier hook is now ${earlier.file}, and runs first.`;
  return {
    ...made,
    notes: [note, ...made.notes],
    apply: () => {
      checkWritable(target);
      // First the copy: if this stops in between, both are the earlier hook.
      writeTarget({ ...earlier, mode: target.mode }, target.text);
      made.apply();
    },
  };
}

function installation(target: Target, after: string | null, notes: string[]): Installation {
  const diff = lineDiff(target.text ?? '', after ?? '');
  const isSame = target.text === after;
  return {
    file: target.file,
    diff,
    notes,
    apply: () => {
      if (isSame) return;
      checkWritable(target);
      writeTarget(target, after);
    },
  };
}

function optionsOf({ unclaimed, directory }: InstallRequest): string[] {
  return [
    ...(unclaimed === null ? [] : ['--unclaimed', unclaimed]),
    ...(directory === null ? [] : ['--dir', directory]),
  ];
}

function notesFor(request: InstallRequest, { file, real }: Target): string[] {
  const { host, project, remove } = request;
  const notes =
    file === real ? [] : [`${file} is a symbolic link to ${real}, which is the file that changes.`];
  if (remove) return notes;
  if (/[\\/]_npx[\\/]/.test(request.package.hook)) {
    notes.push(
      'This copy of holdfast is in the cache of npx, which may be cleared: install the package.',
    );
  }
  if (host.byDocumentation) {
    notes.push(`This was not tested with ${host.title}; it follows its documentation.`);
  }
  return [...notes, ...TRUST[host.name](project)];
}

const RESTART = 'A session that is already running does not have the hook: restart it.';

/** What remains for the person to do. */
const TRUST: Record<Host['name'], (project: string | null) => string[]> = {
  'claude-code': () => [RESTART],
  codex: (project) => [
    'Codex silently skips a hook that you have not trusted: start codex, type /hooks, and trust it.',
    ...(project === null
      ? []
      : [
          `It reads the hooks of a project only if you trust the project too: [projects.${JSON.stringify(project)}] trust_level = "trusted" in its config.toml.`,
          'The file has paths of this machine: do not commit it.',
        ]),
  ],
  gemini: (project) =>
    project === null
      ? [RESTART]
      : [
          'Gemini reads the hooks of a project only in a folder that you trust: /permissions in gemini, or GEMINI_CLI_TRUST_WORKSPACE=true.',
          'The file has paths of this machine: do not commit it.',
        ],
  opencode: (project) =>
    project === null
      ? [RESTART]
      : [RESTART, 'The file has paths of this machine: do not commit it.'],
  cursor: (project) => [
    'One window of Cursor runs all its sessions, so claims do not end with a session: they expire an hour after the last write.',
    'Cursor may load the hooks of .claude/settings.json as well. Then both run, which is harmless.',
    ...(project === null ? [] : ['The file has paths of this machine: do not commit it.']),
  ],
  git: () => [
    'A commit without HOLDFAST_AGENT is refused if it changes a claimed path. A person can commit with: git commit --no-verify',
  ],
};
