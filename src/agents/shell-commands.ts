import { isAbsolute, resolve } from 'node:path';
import { type Command, forEachChild, parse, type SyntaxNode, type Word } from 'unbash';
import { runsOf } from './runners.js';

/** A command that a shell line runs. */
export interface ShellCommand {
  /** The program and its arguments, without quotes. What is computed stands as it is written. */
  words: string[];
  /** Where it runs, as far as literal `cd`s tell. */
  cwd: string;
  /** The here-document or here-string that it is given, as it is written; `null`: none. */
  input: string | null;
}

const SHELLS = new Set(['sh', 'bash', 'dash', 'zsh', 'ksh', 'ash']);
const LOOKED_FOR = /^(git|holdfast|npx|apply_?patch)$/;
const DEEPEST = 8;

/**
 * All simple commands of a shell line, those in substitutions, subshells,
 * `sh -c '…'`, `sh <<E` and `echo '…' | sh` included. `null`: it cannot be parsed, and a shell would
 * not run it either. What is computed (`$x`, aliases, scripts) is not looked into.
 */
export function shellCommands(line: string, cwd: string): ShellCommand[] | null {
  const found: ShellCommand[] = [];
  const folder = { cwd, before: cwd, pushed: [] };
  return collect(line, folder, { found, depth: 0, piped: new Map() }) ? found : null;
}

interface Search {
  found: ShellCommand[];
  depth: number;
  /** What commands are given through a pipe. */
  piped: Map<SyntaxNode, string | null>;
}

/** Where the next command runs. */
interface Folder {
  cwd: string;
  /** Where `cd -` leads. */
  before: string;
  /** Where `popd`s lead, the next one last. */
  pushed: readonly string[];
}

/** Whether the line can be parsed. If not, nothing of it is found. */
function collect(line: string, folder: Folder, search: Search): boolean {
  if (search.depth > DEEPEST) return false;
  const script = parse(line);
  if ((script.errors?.length ?? 0) > 0) return false;
  return visit(script, folder, search);
}

function visit(node: SyntaxNode, folder: Folder, search: Search): boolean {
  // A `cd` in there ends with it.
  const inner = runsApart(node) ? { ...folder } : folder;
  let isWhole = true;
  if (node.type === 'Script' && (node as { errors?: readonly unknown[] }).errors?.length) {
    return false;
  }
  if (node.type === 'Pipeline') {
    node.commands.forEach((each, at) => {
      const before = node.commands[at - 1];
      if (before !== undefined) search.piped.set(each, writtenBy(before));
    });
  }
  forEachChild(node, (child) => {
    isWhole = visit(child, isPiped(node) ? { ...inner } : inner, search) && isWhole;
  });
  if (node.type === 'Command') run(node, folder, search);
  return isWhole;
}

/** Whether it has a shell of its own, or (a function) is only run later. */
function runsApart(node: SyntaxNode): boolean {
  if (node.type === 'Statement') return node.background === true;
  return ['Subshell', 'Script', 'Function', 'Coproc'].includes(node.type);
}

/** Each command of a pipeline has a shell of its own. */
function isPiped(node: SyntaxNode): boolean {
  return node.type === 'Pipeline' && node.commands.length > 1;
}

function run(command: Command, folder: Folder, search: Search): void {
  const piped = search.piped.get(command) ?? null;
  runWords({ words: wordsOf(command), input: inputOf(command), piped }, folder, search);
}

function wordsOf(command: Command): string[] {
  return [command.name, ...command.args].filter(isWord).map(({ value }) => value);
}

/** What a command writes into a pipe, as far as it stands in the line. */
function writtenBy(node: SyntaxNode): string | null {
  if (node.type !== 'Command') return null;
  const [name, ...others] = wordsOf(node);
  if (name === 'cat' && others.length === 0) return inputOf(node);
  if (name === 'echo') return others.filter((each) => !/^-[neE]+$/.test(each)).join(' ');
  return name === 'printf' ? others.join('\n').replaceAll('\\n', '\n') : null;
}

/** The last here-document or here-string is what the command reads. */
function inputOf({ redirects }: Command): string | null {
  const texts = redirects.flatMap((each) =>
    each.type === 'HereDoc'
      ? [each.body.text]
      : each.type === 'HereString'
        ? [each.target?.value ?? '']
        : [],
  );
  return texts.at(-1) ?? null;
}

/** A line inside that cannot be parsed hides nothing of the others: they run all the same. */
function runWords(
  { words, input, piped }: Pick<ShellCommand, 'words' | 'input'> & { piped: string | null },
  folder: Folder,
  search: Search,
): void {
  const name = programOf(words[0] ?? '');
  if (name === '') return;
  search.found.push({ words, cwd: folder.cwd, input });
  const deeper = { ...search, depth: search.depth + 1 };
  if (name === 'cd' || name === 'pushd') {
    const target = words.slice(1).find((word) => word === '-' || !/^[-+]/.test(word));
    if (target === undefined) return;
    if (name === 'pushd') folder.pushed = [...folder.pushed, folder.cwd];
    moveTo(target === '-' ? folder.before : folderAt(folder.cwd, target), folder);
  } else if (name === 'popd') {
    const target = folder.pushed.at(-1);
    folder.pushed = folder.pushed.slice(0, -1);
    if (target !== undefined) moveTo(target, folder);
  } else if (name === 'eval') {
    collect(words.slice(1).join(' '), folder, deeper);
  } else if (SHELLS.has(name)) {
    const at = words.findIndex((word) => /^-[a-z]*c$/.test(word));
    const line =
      at < 0
        ? readsLine(words)
          ? (input ?? piped)
          : null
        : words.slice(at + 1).find((word) => !/^[-+]/.test(word));
    if (line) collect(line, { ...folder }, deeper);
  } else if (deeper.depth <= DEEPEST) {
    for (const runs of runsOf(name, words, isRun)) {
      if ('words' in runs) runWords({ words: runs.words, input, piped }, { ...folder }, deeper);
      else collect(runs.line, { ...folder }, deeper);
    }
  }
}

function moveTo(target: string, folder: Folder): void {
  folder.before = folder.cwd;
  folder.cwd = target;
}

/** Whether a shell reads what it runs from its input, and not from a file. */
function readsLine(words: readonly string[]): boolean {
  const file = words.find(
    (word, at) =>
      at > 0 &&
      !/^[-+]/.test(word) &&
      !/^(?:[-+][oO]|--rcfile|--init-file)$/.test(words[at - 1] ?? ''),
  );
  const asksForInput = words.some((word) => /^-[a-z]*s/.test(word));
  return file === undefined || asksForInput || file === '/dev/stdin';
}

/** Whether a word after an option is no value of it. */
function isRun(word: string): boolean {
  const name = programOf(word);
  return LOOKED_FOR.test(name) || SHELLS.has(name);
}

function isWord(each: { type: string } | undefined): each is Word {
  return each?.type === 'Word';
}

/** `git` of `/usr/bin/git`. */
export function programOf(word: string): string {
  const name =
    isAbsolute(word) || word.includes('/') ? word.slice(word.lastIndexOf('/') + 1) : word;
  return name.replace(/\.exe$/, '');
}

/** A folder that a command names. One that is computed is not known: then it is the same one. */
export function folderAt(from: string, word: string): string {
  return /[$`~*?]/.test(word) ? from : resolve(from, word);
}
