import { basename } from 'node:path';
import { type ProcessView, parentOf, viewOf } from '../holders/ancestors.js';

const SHELLS = /^(?:ba|da|z|k|a|fi)?sh$/;
const RUNNERS = /^(?:npm|npx|pnpm|pnpx|yarn|bunx|env|xargs)$/;
const RUNTIMES = /^(?:node|nodejs|bun|deno)$/;
// npm calls itself so; others are scripts that Node runs.
const RUNNER_TITLE = /^(?:npm (?:exec|run|x)\b|npx\b)/;
const RUNNER_SCRIPT = /[\\/](?:npm|npx|pnpm|yarn|corepack)(?:-cli)?(?:\.c?js)?$/;

/**
 * The process of the session that started this server, of a host that is not
 * known: its parent, or the nearest ancestor that is no program whose only work
 * is to start others. Such a one may be between them, as in `npx holdfast mcp`.
 */
export function sessionProcess(parent: number = process.ppid): number {
  let pid = parent;
  while (isRunner(viewOf(pid).words)) {
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
  const name = nameOf(program);
  if (RUNNERS.test(name)) return true;
  if (SHELLS.test(name)) {
    return rest.some((word) => !word.startsWith('-') || /^-[a-z]*c/.test(word));
  }
  const script = rest.find((word) => !word.startsWith('-')) ?? '';
  return RUNTIMES.test(name) && RUNNER_SCRIPT.test(script);
}

/** What a program may be called in the name of an agent. */
export function programName({ executable, words }: ProcessView): string {
  const name = nameOf(executable || (words[0] ?? ''));
  return name.replace(/[^\w-]/g, '-') || 'agent';
}

function nameOf(program: string): string {
  return basename(program).replace(/\.exe$/i, '');
}
