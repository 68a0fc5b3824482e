import { programOf, type ShellCommand } from './shell-commands.js';

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
