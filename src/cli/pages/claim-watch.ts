import type { Page } from './page.js';
import {
  EXIT_FOLDER,
  EXIT_INTERNAL,
  EXIT_USAGE,
  JSON_OPTION,
  ONLY_FOLDER,
  place,
} from './shared.js';

export const page: Page = {
  name: 'claim watch',
  summary: 'show all claims, and again whenever they change',
  usage: ['claim watch [options]'],
  operands: 'none',
  description: [
    'On a terminal, shows the claims, who waits and what has happened, until it is interrupted. In a pipe, prints one line for each change.',
  ],
  options: [
    place('anybody'),
    {
      title: 'Output',
      options: [{ ...JSON_OPTION, text: 'print one JSON object a line for each change' }],
    },
  ],
  exits: [
    ['130', 'it was interrupted (SIGINT)'],
    EXIT_USAGE,
    ['65', 'the claims cannot be read'],
    EXIT_INTERNAL,
    EXIT_FOLDER,
  ],
  environment: ONLY_FOLDER,
  examples: [
    { command: 'holdfast claim watch', text: 'A board of all agents.' },
    {
      command:
        'holdfast claim watch --json | jq --unbuffered -r \'select(.event == "died").agents[]\'',
      text: 'Print the agents that die.',
    },
  ],
  schema: 'claim-watch.json',
  seeAlso: ['claim list'],
};
