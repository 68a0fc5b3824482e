import type { Page } from './page.js';
import { DIR, EXIT_INTERNAL, EXIT_USAGE } from './shared.js';

export const page: Page = {
  name: 'claim bypass',
  summary: 'let all agents write for a time',
  usage: ['claim bypass [options] TIME'],
  operands: 'none',
  description: [
    'Hooks let every write through for TIME: `10m`, `1h`, from `1s` to `24h`; 0 ends it. Only a person may do that: it is refused below a program that runs agents, and with HOLDFAST_AGENT set.',
  ],
  options: [
    {
      title: 'Options',
      options: [
        {
          ...DIR,
          text: 'the folder with the claims; by default HOLDFAST_CLAIMS, else that of the repository of the working directory',
        },
      ],
    },
  ],
  exits: [
    ['0', 'done'],
    EXIT_USAGE,
    EXIT_INTERNAL,
    ['73', 'the folder cannot be written to'],
    ['75', 'this is not a person'],
  ],
  environment: [
    ['HOLDFAST_CLAIMS', 'the folder with the claims, unless --dir is given'],
    ['HOLDFAST_AGENT', 'must not be set'],
  ],
  examples: [
    { command: 'holdfast claim bypass 10m', text: 'Let agents pass for ten minutes.' },
    { command: 'holdfast claim bypass 0', text: 'The claims hold again.' },
  ],
  seeAlso: ['claim install-hook'],
};
