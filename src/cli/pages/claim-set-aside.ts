import type { Page } from './page.js';
import { EXIT_FOLDER, EXIT_INTERNAL, EXIT_USAGE, ONLY_FOLDER, place, QUIET } from './shared.js';

export const page: Page = {
  name: 'claim set-aside',
  summary: 'rename a file that is not a valid claim',
  usage: ['claim set-aside [options] FILE'],
  operands: 'file',
  description: [
    'While a file in the folder is not a valid claim, nothing is granted: it may hide one. This renames it to FILE.invalid. It refuses a file that is a valid claim, one that is locked, and one that was changed less than a minute ago.',
  ],
  options: [place('anybody'), { title: 'Output', options: [QUIET] }],
  exits: [
    ['0', 'renamed'],
    EXIT_USAGE,
    ['65', 'there is no such file, or it is refused'],
    EXIT_INTERNAL,
    EXIT_FOLDER,
  ],
  environment: ONLY_FOLDER,
  examples: [
    {
      command: 'holdfast claim set-aside old.lock',
      text: '`claim list` has the names of the files.',
    },
  ],
  seeAlso: ['claim list', 'claim prune'],
};
