import type { Page } from './page.js';
import { EXIT_INTERNAL, EXIT_USAGE } from './shared.js';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;

export const page: Page = {
  name: 'completion',
  summary: 'print a script that completes holdfast in a shell',
  usage: [`completion ${SHELLS.join('|')}`],
  operands: SHELLS,
  description: [
    'Prints a script for the shell, which then completes subcommands, options, their values and paths at the Tab key. The examples install it for new shells.',
  ],
  options: [],
  exits: [['0', 'it is printed'], EXIT_USAGE, EXIT_INTERNAL],
  examples: [
    {
      command:
        'mkdir -p ~/.local/share/bash-completion/completions && holdfast completion bash > ~/.local/share/bash-completion/completions/holdfast',
      text: 'bash, with the package bash-completion.',
    },
    {
      command:
        "holdfast completion bash > ~/.holdfast-completion && echo '. ~/.holdfast-completion' >> ~/.bashrc",
      text: 'bash, without it.',
    },
    {
      command: 'mkdir -p ~/.zfunc && holdfast completion zsh > ~/.zfunc/_holdfast',
      text: 'zsh, with these lines in ~/.zshrc: fpath+=~/.zfunc; autoload -Uz compinit; compinit',
    },
    {
      command:
        'mkdir -p ~/.config/fish/completions && holdfast completion fish > ~/.config/fish/completions/holdfast.fish',
      text: 'fish.',
    },
  ],
  seeAlso: [],
};
