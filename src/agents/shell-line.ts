// Loaded only for a command that needs it: the parser is larger than the rest.
import { gitChanges, type NamedByGit, type TreeWide } from './git-changes.js';
import { liftsClaims } from './lifts-claims.js';
import { bothReadings, patchedPaths } from './patch.js';
import { programOf, type ShellCommand, shellCommands } from './shell-commands.js';

/** What a shell line does that concerns claims. */
export interface ShellLine {
  liftsClaims: boolean;
  treeWide: TreeWide[];
  named: NamedByGit[];
  /** The files of patches that it applies, absolute. */
  patched: string[];
}

/** `null`: it cannot be parsed. */
export function inspectLine(line: string, cwd: string): ShellLine | null {
  const commands = shellCommands(line, cwd);
  if (commands === null) return null;
  const patched = commands.flatMap((each) => patchedBy(each, line));
  return {
    liftsClaims: liftsClaims(commands),
    ...gitChanges(commands),
    patched: [...new Set(patched)],
  };
}

/** Of what comes from elsewhere, such as a pipe, all that the line has. */
function patchedBy({ words, cwd, input }: ShellCommand, line: string): string[] {
  if (!/^apply_?patch$/.test(programOf(words[0] ?? ''))) return [];
  const patch = input ?? (words.length > 1 ? words.slice(1).join('\n') : line);
  return patchedPaths(patch).flatMap((each) => bothReadings(each, cwd));
}
