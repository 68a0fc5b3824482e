import type { Page } from './page.js';
import {
  EXIT_FOLDER,
  EXIT_INTERNAL,
  EXIT_USAGE,
  JSON_OPTION,
  ONLY_FOLDER,
  place,
  QUIET,
} from './shared.js';

export const page: Page = {
  name: 'claim prune',
  summary: 'remove claims that have ended',
  usage: ['claim prune [options]'],
  operands: 'none',
  description: [
    'Removes expired and orphaned claims. They block nobody, so this only tidies up. Files that are not valid claims stay, and are named.',
  ],
  options: [place('anybody'), { title: 'Output', options: [JSON_OPTION, QUIET] }],
  exits: [
    ['0', 'done'],
    EXIT_USAGE,
    ['65', 'the claims cannot be read or changed'],
    EXIT_INTERNAL,
    EXIT_FOLDER,
  ],
  environment: ONLY_FOLDER,
  examples: [
    { command: 'holdfast claim prune', text: 'Remove them, and print what was removed.' },
    { command: '0 4 * * *  cd /srv/app && holdfast claim prune -q', text: 'In a crontab.' },
  ],
  schema: 'claim-prune.json',
  seeAlso: ['claim clear', 'claim set-aside'],
};
