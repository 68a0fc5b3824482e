import { readBounded } from '../base/bounded.js';
import { statFields } from '../base/proc.js';

const STAT_LIMIT = 4096;
const COMMAND_LIMIT = 64 * 1024;

const SHELLS = /^(?:ba|da|z|k|a|fi)?sh$/;
const RUNNERS = /^(?:npm|npx|pnpm|pnpx|yarn|bunx|env|uvx)$/;
// npm calls itself so; others are scripts that Node runs.
const RUNNER_TITLE = /^(?:npm (?:exec|run|x)\b|npx\b)/;
const RUNNER_SCRIPT = /[\\/](?:npm|npx|pnpm|yarn|corepack)(?:-cli)?(?:\.c?js)?$/;

/**
 * The process of the session that started this server: its parent, or the
 * nearest ancestor that is no program whose only work is to start others. Such
 * a one may be between them, as in `npx holdfast mcp`.
 */
export function sessionProcess(parent: number = process.ppid): number {
  let pid = parent;
  while (isRunner(commandOf(pid))) {
    const above = parentOf(pid);
    if (above <= 1) break;
    pid = above;
  }
  return pid;
}

/** A shell that somebody types into is no runner: it has no words but options. */
export function isRunner(words: readonly string[]): boolean {
  const [program = '', ...rest] = words;
  if (RUNNER_TITLE.test(program)) return true;
  const name = program.replace(/^.*[\\/]/, '').replace(/\.exe$/, '');
  if (RUNNERS.test(name)) return true;
  if (SHELLS.test(name)) {
    return rest.some((word) => !word.startsWith('-') || /^-[a-z]*c/.test(word));
  }
  const script = rest.find((word) => !word.startsWith('-')) ?? '';
  return /^(?:node|bun|deno)\d*$/.test(name) && RUNNER_SCRIPT.test(script);
}

/** Empty where there is no Linux /proc: the parent is taken as it is. */
function commandOf(pid: number): string[] {
  return read(`/proc/${pid}/cmdline`, COMMAND_LIMIT).split('\0').filter(Boolean);
}

function parentOf(pid: number): number {
  return Number(statFields(read(`/proc/${pid}/stat`, STAT_LIMIT))[1] ?? 0);
}

function read(path: string, limit: number): string {
  if (process.platform !== 'linux') return '';
  try {
    return readBounded(path, limit).toString();
  } catch {
    return '';
  }
}
