import { basename } from 'node:path';
import type { ProcessView } from '../holders/ancestors.js';

/** A program that runs agents, as `--for` names it. */
export type HostName = 'claude-code' | 'codex' | 'gemini' | 'opencode' | 'cursor' | 'git';

/** What a host's hook calls `tool_input`, tool by tool. */
export interface HostTools {
  /** Tools that write the file whose path one of {@link PATH_FIELDS} has. */
  readonly files: readonly string[];
  /** Tools that are given a patch, and the field that has it. */
  readonly patches: Readonly<Record<string, string>>;
  /** Tools that run a shell command, which is in `command`. */
  readonly shells: readonly string[];
}

/** The fields that name a file, in the order in which they are looked for. */
export const PATH_FIELDS = ['file_path', 'notebook_path', 'filePath', 'path'] as const;

export interface Host {
  readonly name: HostName;
  /** For messages. */
  readonly title: string;
  readonly tools: HostTools;
  /** The event before a tool runs, the end of a session and of a sub-agent. */
  readonly events: { tool: string; sessionEnd: string | null; subagentEnd: string | null };
  /**
   * How a refusal is said. `stderr`: exit status 2, with the reason on standard
   * error. `permission`: exit status 0, `{"permission":"deny",…}`. Exit status 0
   * with `permissionDecision` would not do: gemini writes all the same.
   */
  readonly denies: 'stderr' | 'permission';
  /** Whether the model reads `additionalContext` of a call that is let through. */
  readonly readsContext: boolean;
  /** Of one second, in the settings. */
  readonly timeoutUnit: 1 | 1000;
  /** Whether one process always serves several sessions. */
  readonly sharesProcess: boolean;
  /** Whether this is known from its documentation alone. */
  readonly byDocumentation: boolean;
  /** Whether a session runs in this process. */
  isSession(process: ProcessView): boolean;
  /** Whether such a process serves several sessions, so that its end is not theirs. */
  servesSeveral(process: ProcessView): boolean;
}

const NO_TOOLS: HostTools = { files: [], patches: {}, shells: [] };
const never = (): boolean => false;

export const HOSTS: Readonly<Record<HostName, Host>> = {
  'claude-code': {
    name: 'claude-code',
    title: 'Claude Code',
    tools: {
      files: ['Write', 'Edit', 'MultiEdit', 'NotebookEdit'],
      patches: {},
      shells: ['Bash'],
    },
    events: { tool: 'PreToolUse', sessionEnd: 'SessionEnd', subagentEnd: 'SubagentStop' },
    denies: 'stderr',
    readsContext: true,
    timeoutUnit: 1,
    sharesProcess: false,
    byDocumentation: true,
    // The native one is a link to .../claude/versions/2.1.0.
    isSession: (each) =>
      isCalled(each, /^claude$/) ||
      /[\\/]claude[\\/]versions[\\/][^\\/]+$/.test(each.executable) ||
      /@anthropic-ai[\\/]claude-code[\\/]|(^|[\\/])claude$/.test(scriptOf(each)),
    servesSeveral: never,
  },
  codex: {
    name: 'codex',
    title: 'Codex',
    tools: {
      files: ['Write', 'Edit'],
      patches: { apply_patch: 'command' },
      shells: ['Bash'],
    },
    events: { tool: 'PreToolUse', sessionEnd: null, subagentEnd: 'SubagentStop' },
    denies: 'stderr',
    readsContext: true,
    timeoutUnit: 1,
    sharesProcess: false,
    byDocumentation: false,
    // Not npm's wrapper, a script of node, which a signal can end alone.
    isSession: (each) => isCalled(each, /^codex(-(x86_64|aarch64|arm64)-[\w-]+)?(\.exe)?$/),
    servesSeveral: ({ words }) => ['app-server', 'mcp-server', 'exec-server'].includes(verb(words)),
  },
  gemini: {
    name: 'gemini',
    title: 'Gemini CLI',
    tools: { files: ['write_file', 'replace'], patches: {}, shells: ['run_shell_command'] },
    events: { tool: 'BeforeTool', sessionEnd: 'SessionEnd', subagentEnd: null },
    denies: 'stderr',
    readsContext: false,
    timeoutUnit: 1000,
    sharesProcess: false,
    byDocumentation: false,
    isSession: (each) =>
      isCalled(each, /^gemini$/) ||
      /@google[\\/]gemini-cli[\\/]|(^|[\\/])gemini(\.js)?$/.test(scriptOf(each)),
    servesSeveral: ({ words }) => words.includes('--experimental-acp') || words.includes('--acp'),
  },
  opencode: {
    name: 'opencode',
    title: 'opencode',
    tools: {
      files: ['write', 'edit', 'multiedit'],
      patches: { apply_patch: 'patchText', patch: 'patchText' },
      shells: ['bash'],
    },
    events: { tool: 'tool.execute.before', sessionEnd: null, subagentEnd: null },
    denies: 'stderr',
    readsContext: false,
    timeoutUnit: 1000,
    sharesProcess: false,
    byDocumentation: false,
    isSession: (each) =>
      isCalled(each, /^opencode(\.exe)?$/) || /(^|[\\/])opencode$/.test(scriptOf(each)),
    servesSeveral: ({ words }) => ['serve', 'web', 'acp'].includes(verb(words)),
  },
  cursor: {
    name: 'cursor',
    title: 'Cursor',
    tools: { files: ['Write', 'Edit', 'Delete'], patches: {}, shells: ['Shell'] },
    events: { tool: 'preToolUse', sessionEnd: 'sessionEnd', subagentEnd: 'subagentStop' },
    denies: 'permission',
    readsContext: false,
    timeoutUnit: 1,
    // One window runs them all.
    sharesProcess: true,
    byDocumentation: true,
    isSession: (each) => isCalled(each, /^(cursor|Cursor|cursor-agent)(\.exe|\.AppImage)?$/),
    servesSeveral: () => true,
  },
  git: {
    name: 'git',
    title: 'git',
    tools: NO_TOOLS,
    events: { tool: 'pre-commit', sessionEnd: null, subagentEnd: null },
    denies: 'stderr',
    readsContext: false,
    timeoutUnit: 1,
    sharesProcess: false,
    byDocumentation: false,
    isSession: never,
    servesSeveral: never,
  },
};

export const HOST_NAMES = Object.keys(HOSTS) as HostName[];

export function isHostName(name: string): name is HostName {
  return Object.hasOwn(HOSTS, name);
}

/** The host whose session runs in this process, if it is one. */
export function hostOf(process: ProcessView): Host | null {
  return Object.values(HOSTS).find((host) => host.isSession(process)) ?? null;
}

/** By its file, or by the name under which it was started. */
function isCalled({ executable, words }: ProcessView, name: RegExp): boolean {
  return name.test(basename(executable)) || name.test(basename(words[0] ?? ''));
}

const RUNTIMES = /^(node|nodejs|bun|deno)(\.exe)?$/;
// Options of node whose value is the next word.
const WITH_VALUE = /^(-r|--require|--import|--loader|--experimental-loader|-C|--conditions)$/;

/** The script that a runtime runs; empty if this is no runtime. */
function scriptOf(process: ProcessView): string {
  if (!isCalled(process, RUNTIMES)) return '';
  const { words } = process;
  for (let at = 1; at < words.length; at++) {
    const word = words[at] as string;
    if (WITH_VALUE.test(word)) at++;
    else if (!word.startsWith('-')) return word;
  }
  return '';
}

/** The first word that is no option: `serve` of `opencode serve`. */
function verb(words: readonly string[]): string {
  return words.slice(1).find((word) => !word.startsWith('-')) ?? '';
}
