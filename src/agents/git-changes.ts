import { existsSync, lstatSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { RealPaths } from '../claims/real-path.js';
import { defaultPlace } from '../claims/root.js';
import { folderAt, programOf, type ShellCommand } from './shell-commands.js';

/** A git command that changes files all over a working tree. */
export interface TreeWide {
  /** `git stash`. */
  command: string;
  /** Where it runs: in the working tree that it changes. */
  cwd: string;
}

/** A git command that changes files that it names. */
export interface NamedByGit {
  command: string;
  /** Absolute; one that ends in `/` is a folder with everything below it. */
  paths: string[];
}

type Arguments = readonly string[];
/** All files of the working tree, or those that these words name, or none. */
type Change = 'tree' | string[];

/** What a git subcommand with these arguments changes in the working tree. */
const CHANGES: Record<string, (args: Arguments, cwd: string) => Change> = {
  stash: (args) => {
    const [verb = '', ...others] = args;
    if (['list', 'show', 'drop', 'clear', 'create', 'store'].includes(verb)) return [];
    if (verb === 'push') return orTree(operands(others, '-m', '--message'));
    // `git stash -m TEXT -- PATH` is a push as well.
    return orTree(args.includes('--') ? operands(args) : []);
  },
  reset: (args) =>
    args.some((each) => ['--hard', '--merge', '--keep'].includes(each)) ? 'tree' : [],
  checkout: (args, cwd) => {
    const end = args.indexOf('--');
    const paths = end < 0 ? [] : args.slice(end + 1);
    if (paths.length > 0) return paths;
    const before = operands(end < 0 ? args : args.slice(0, end));
    const [first, ...others] = before;
    if (first === undefined)
      return has(args, '-f', '--force', '--orphan', '--detach') ? 'tree' : [];
    if (isNewAtHead(args, '-b', '-B')) return [];
    if (has(args, '-b', '-B', '--orphan', '--detach', '-d')) return 'tree';
    const isPath = end < 0 && (existsSync(resolve(cwd, first)) || first.includes('*'));
    // `git checkout NAME`: a file if there is one, else another branch.
    if (isPath) return before;
    return others.length > 0 ? others : 'tree';
  },
  restore: (args) => {
    const isIndexOnly = has(args, '--staged', '-S') && !has(args, '--worktree', '-W');
    return isIndexOnly ? [] : operands(args, '-s', '--source');
  },
  clean: (args) => {
    if (isDry(args)) return [];
    const paths = operands(args, '-e', '--exclude');
    return paths.length > 0 ? paths : ['.'];
  },
  mv: (args, cwd) => {
    const paths = operands(args);
    const target = paths.pop();
    if (target === undefined || paths.length === 0 || isDry(args)) return [];
    const isInto = paths.length > 1 || isFolder(resolve(cwd, target));
    return [...paths, ...(isInto ? paths.map((each) => join(target, basename(each))) : [target])];
  },
  rm: (args) => (has(args, '--cached') || isDry(args) ? [] : operands(args)),
  'read-tree': (args) => (hasLetter(args, 'u') && !isDry(args) ? 'tree' : []),
  'checkout-index': (args) => {
    // Without -f it leaves the files that are there.
    if (!hasLetter(args, 'f', '--force') || args.some((each) => each.startsWith('--prefix'))) {
      return [];
    }
    return hasLetter(args, 'a', '--all') || has(args, '--stdin') ? 'tree' : operands(args);
  },
  switch: (args) => (isNewAtHead(args, '-c', '-C', '--create', '--force-create') ? [] : 'tree'),
  rebase: (args) => (has(args, '--show-current-patch', '--edit-todo', '--quit') ? [] : 'tree'),
  worktree: ([verb, ...args]) =>
    verb === 'remove' && hasLetter(args, 'f', '--force') ? operands(args) : [],
  pull: (args) => {
    const isRebase = args.some(
      (each) => /^(-r|--rebase(=.*)?|--autostash)$/.test(each) && each !== '--rebase=false',
    );
    return isRebase ? 'tree' : [];
  },
};

/** What these commands do to working trees with git. */
export function gitChanges(commands: readonly ShellCommand[]): {
  treeWide: TreeWide[];
  named: NamedByGit[];
} {
  const treeWide: TreeWide[] = [];
  const named: NamedByGit[] = [];
  for (const { words, cwd } of commands) {
    if (programOf(words[0] ?? '') !== 'git') continue;
    const { folder, rest } = globalOptions(words.slice(1), cwd);
    const [verb = '', ...args] = rest;
    if (!Object.hasOwn(CHANGES, verb) || has(args, '--help', '-h')) continue;
    const command = `git ${rest.join(' ')}`;
    const change = CHANGES[verb]?.(args, folder) ?? [];
    const paths = pathsOf(isListed(verb, args) ? 'tree' : change, folder);
    if (paths === 'tree') treeWide.push({ command, cwd: folder });
    else if (paths.length > 0) named.push({ command, paths });
  }
  return { treeWide, named };
}

// Options before the subcommand whose value is the next word.
const WITH_VALUE = [
  '-c',
  '--attr-source',
  '--git-dir',
  '--namespace',
  '--exec-path',
  '--config-env',
];

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

/** Whether it makes a branch where HEAD is, which leaves all files as they are. */
function isNewAtHead(args: Arguments, ...options: string[]): boolean {
  const isForced = hasLetter(args, 'f', '--force', '--discard-changes');
  return has(args, ...options) && !isForced && operands(args, ...options).length === 0;
}

/** Whether there is an option of one letter, also among others (`-af`), or one of its long names. */
function hasLetter(args: Arguments, letter: string, ...long: string[]): boolean {
  return (
    has(args, ...long) || args.some((each) => /^-[a-zA-Z]+$/.test(each) && each.includes(letter))
  );
}

function isDry(args: Arguments): boolean {
  return args.some((each) => each === '--dry-run' || /^-[a-z]*n/.test(each));
}

/** Whether the paths are in a file, which is not looked into. */
function isListed(verb: string, args: Arguments): boolean {
  return verb !== 'reset' && args.some((each) => each.startsWith('--pathspec-from-file'));
}

/** The words that are no options. The word after one of `valued` is none. */
function operands(args: Arguments, ...valued: string[]): string[] {
  const end = args.indexOf('--');
  if (end >= 0) {
    return [...operands(args.slice(0, end), ...valued), ...args.slice(end + 1)];
  }
  return args.filter(
    (each, at) => (each === '-' || !each.startsWith('-')) && !valued.includes(args[at - 1] ?? ''),
  );
}

function orTree(paths: string[]): Change {
  return paths.length > 0 ? paths : 'tree';
}

function pathsOf(change: Change, cwd: string): Change {
  if (change === 'tree' || change.length === 0) return change;
  const paths: string[] = [];
  const top = topOf(cwd);
  for (const word of change) {
    const path = pathOf(word, cwd);
    if (path === null || isAbove(path, top)) return 'tree';
    paths.push(...asAsked(path));
  }
  return paths;
}

/** What a word names; `null`: it cannot be told, or it may be files anywhere. */
function pathOf(given: string, cwd: string): string | null {
  const word = given.replace(/^(?:\$PWD|\$\{PWD\})(?=\/|$)/, () => cwd);
  if (word.startsWith(':') || word.includes('*')) return null;
  const path = resolve(cwd, word);
  // Names such as `[slug]` and `$id` are of files, if there are such files.
  return /[?[{$`]|^~/.test(word) && !existsSync(path) ? null : path;
}

/** The top of the working tree; where there is none, the folder itself. */
function topOf(cwd: string): string {
  const real = new RealPaths();
  for (let folder = real.resolve(cwd); ; folder = real.resolve(dirname(folder.path))) {
    if (folder.isFolder) return defaultPlace(folder.path)?.root ?? real.resolve(cwd).path;
  }
}

/** Whether a path is the top of the working tree, or a folder above it. */
function isAbove(path: string, top: string): boolean {
  const real = new RealPaths().resolve(path).path;
  return [path, real].some((each) =>
    `${top}${sep}`.startsWith(each.endsWith(sep) ? each : each + sep),
  );
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** As the claims are asked. What is gone may have been a file or a folder. */
function asAsked(path: string): string[] {
  try {
    return [lstatSync(path).isDirectory() ? `${path}/` : path];
  } catch {
    return [path, `${path}/`];
  }
}
