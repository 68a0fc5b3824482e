import type { Page } from './page.js';
import { EXIT_FOLDER, EXIT_INTERNAL, EXIT_USAGE, ONLY_FOLDER, place, QUIET } from './shared.js';

export const page: Page = {
  name: 'claim clear',
  summary: 'give up the claims of all agents',
  usage: ['claim clear [options]'],
  operands: 'none',
  description: [
    'Removes all claims from the folder, and prints whose they were. Files that are not valid claims stay, and are named.',
  ],
  options: [
    {
      title: 'Claims',
      options: [{ flags: ['--force'], text: 'also claims of other sessions and processes' }],
    },
    place('anybody'),
    { title: 'Output', options: [QUIET] },
  ],
  exits: [
    ['0', 'done'],
    EXIT_USAGE,
    ['65', 'the claims cannot be read or changed'],
    EXIT_INTERNAL,
    EXIT_FOLDER,
    ['75', 'a claim belongs to another session or process'],
  ],
  environment: ONLY_FOLDER,
  examples: [{ command: 'holdfast claim clear', text: 'Begin anew.' }],
  seeAlso: ['claim release', 'claim prune'],
};
