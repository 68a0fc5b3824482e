import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { folderAt, programOf, type ShellCommand } from './shell-commands.js';

/** A git command that changes files all over a working tree. */
export interface TreeWide {
  /** `git stash`. */
  command: string;
  /** Where it runs: in the working tree that it changes. */
  cwd: string;
}

type Arguments = readonly string[];

/** Whether a git subcommand with these arguments changes the whole tree. */
const TREE_WIDE: Record<string, (args: Arguments, cwd: string) => boolean> = {
  stash: (args) => {
    const [verb = '', ...others] = args;
    if (['list', 'show', 'drop', 'clear', 'create', 'store'].includes(verb)) return false;
    if (verb === 'push') return !namesPaths(others, '-m', '--message');
    // `git stash -m TEXT -- PATH` is a push as well.
    return !(args.includes('--') && namesPaths(args));
  },
  reset: (args) => args.some((each) => ['--hard', '--merge', '--keep'].includes(each)),
  checkout: (args, cwd) => {
    if (has(args, '--pathspec-from-file')) return false;
    const end = args.indexOf('--');
    const operands = (end < 0 ? args : args.slice(0, end)).filter((each) => !each.startsWith('-'));
    if (end >= 0) return args.slice(end + 1).some(isWholeTree);
    if (operands.some(isWholeTree)) return true;
    const [first, second] = operands;
    // `git checkout NAME`: a file if there is one, else another branch.
    if (first === undefined) return has(args, '-f', '--force', '--orphan', '--detach');
    if (has(args, '-b', '-B', '--orphan', '--detach', '-d')) return true;
    return second === undefined && !existsSync(resolve(cwd, first));
  },
  restore: (args) => {
    const isIndexOnly = has(args, '--staged', '-S') && !has(args, '--worktree', '-W');
    return !isIndexOnly && args.some(isWholeTree);
  },
  clean: (args) => {
    const isDry = args.some((each) => each === '--dry-run' || /^-[a-z]*n/.test(each));
    return !isDry && !namesPaths(args, '-e', '--exclude');
  },
  switch: () => true,
  rebase: (args) => !has(args, '--show-current-patch', '--edit-todo', '--quit'),
  pull: (args) =>
    args.some(
      (each) => /^(-r|--rebase(=.*)?|--autostash)$/.test(each) && each !== '--rebase=false',
    ),
};

/** The first of these commands that changes a whole working tree. */
export function treeWideGit(commands: readonly ShellCommand[]): TreeWide | null {
  for (const { words, cwd } of commands) {
    if (programOf(words[0] ?? '') !== 'git') continue;
    const { folder, rest } = globalOptions(words.slice(1), cwd);
    const [verb = '', ...args] = rest;
    if (!Object.hasOwn(TREE_WIDE, verb) || has(args, '--help', '-h')) continue;
    if (TREE_WIDE[verb]?.(args, folder)) return { command: `git ${rest.join(' ')}`, cwd: folder };
  }
  return null;
}

// Options before the subcommand whose value is the next word.
const WITH_VALUE = ['-c', '--git-dir', '--namespace', '--exec-path', '--config-env'];

function globalOptions(words: Arguments, cwd: string): { folder: string; rest: string[] } {
  let folder = cwd;
  for (let at = 0; at < words.length; at++) {
    const word = words[at] as string;
    const [name = '', value] = word.split(/=(.*)/s);
    if (word === '-C' || word === '--work-tree') folder = folderAt(folder, words[++at] ?? '.');
    else if (name === '--work-tree') folder = folderAt(folder, value ?? '.');
    else if (WITH_VALUE.includes(word)) at++;
    else if (!word.startsWith('-')) return { folder, rest: words.slice(at) };
  }
  return { folder, rest: [] };
}

function has(args: Arguments, ...options: string[]): boolean {
  const end = args.indexOf('--');
  return (end < 0 ? args : args.slice(0, end)).some((each) => options.includes(each));
}

/** Whether there are paths, and none of them is the whole tree. The word after one of `valued` is none. */
function namesPaths(args: Arguments, ...valued: string[]): boolean {
  const end = args.indexOf('--');
  const paths =
    end < 0
      ? args.filter((each, at) => !each.startsWith('-') && !valued.includes(args[at - 1] ?? ''))
      : args.slice(end + 1);
  return paths.length > 0 && !paths.some(isWholeTree);
}

function isWholeTree(path: string): boolean {
  return ['.', './', ':/', ':/.', ':', '*', '**', ':(top)', '..', '../'].includes(path);
}

/** Whether one of the commands lifts the claims for a time, which a person alone may do. */
export function liftsClaims(commands: readonly ShellCommand[]): boolean {
  return commands.some(({ words }) => {
    const at = words.indexOf('claim');
    if (at < 1 || words[at + 1] !== 'bypass') return false;
    return LAUNCHERS.test(programOf(words[0] ?? '')) && words.slice(0, at).some(isHoldfast);
  });
}

// What starts the command, or a script.
const LAUNCHERS = /^(holdfast|npx|npm|pnpm|pnpx|yarn|bun|bunx|node|deno)$/;

function isHoldfast(word: string): boolean {
  return /^holdfast(@.*|\.js|\.cmd)?$/.test(programOf(word));
}
