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
  name: 'claim audit',
  summary: 'find claims that overlap after manual edits',
  usage: ['claim audit [options]'],
  operands: 'none',
  description: [
    'Compares all claims in force with each other and shows those that overlap, each with a path that matches both.',
  ],
  options: [place('anybody'), { title: 'Output', options: [JSON_OPTION, QUIET] }],
  exits: [
    ['0', 'no claims overlap'],
    EXIT_USAGE,
    ['65', 'the claims cannot be read'],
    EXIT_INTERNAL,
    EXIT_FOLDER,
    ['75', 'some do'],
  ],
  environment: ONLY_FOLDER,
  examples: [{ command: 'holdfast claim audit', text: 'Do any claims overlap?' }],
  schema: 'claim-audit.json',
  seeAlso: ['claim list', 'claim plan'],
};
