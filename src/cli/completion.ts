import { EXIT, usageError } from './exit-codes.js';
import { parseMixed } from './options.js';
import { SHELLS } from './pages/completion.js';
import { bashCompletion } from './render/bash.js';
import { fishCompletion } from './render/fish.js';
import { zshCompletion } from './render/zsh.js';
import type { Streams } from './streams.js';

const SCRIPTS: Record<(typeof SHELLS)[number], () => string> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

/** `holdfast completion`. */
export async function completion(argv: string[], streams: Streams): Promise<number> {
  const { positionals } = parseMixed(argv, OPTIONS, 'completion');
  const [shell, extra] = positionals;
  if (shell === undefined) throw usageError(`SHELL is missing: ${SHELLS.join(', ')}`, 'completion');
  if (extra !== undefined) throw usageError(`unexpected argument '${extra}'`, 'completion');
  const script = isShell(shell) ? SCRIPTS[shell] : null;
  if (script === null) {
    throw usageError(
      `no completions for '${shell}'; there are: ${SHELLS.join(', ')}`,
      'completion',
    );
  }
  streams.stdout.write(script());
  return EXIT.ok;
}

export const OPTIONS = {} as const;

function isShell(name: string): name is (typeof SHELLS)[number] {
  return (SHELLS as readonly string[]).includes(name);
}
