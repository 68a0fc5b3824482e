// Loaded only for a command that needs it: the parser is larger than the rest.
import { shellCommands } from './shell-commands.js';
import { liftsClaims, type TreeWide, treeWideGit } from './tree-wide-git.js';

/** What a shell line does that concerns claims. */
export interface ShellLine {
  liftsClaims: boolean;
  treeWide: TreeWide | null;
}

/** `null`: it cannot be parsed. */
export function inspectLine(line: string, cwd: string): ShellLine | null {
  const commands = shellCommands(line, cwd);
  if (commands === null) return null;
  return { liftsClaims: liftsClaims(commands), treeWide: treeWideGit(commands) };
}
