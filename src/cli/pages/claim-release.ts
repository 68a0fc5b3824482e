import type { Page } from './page.js';
import {
  CLAIM_ENVIRONMENT,
  EXIT_FOLDER,
  EXIT_INTERNAL,
  EXIT_USAGE,
  ONE_FILE,
  place,
  QUIET,
} from './shared.js';

export const page: Page = {
  name: 'claim release',
  summary: 'give up a claim, or some paths of it',
  usage: ['claim release [options] [PATH…]'],
  operands: 'file',
  description: [
    "Gives up the agent's claim. With PATH, takes these paths from it; what is left stays claimed.",
    ONE_FILE,
  ],
  options: [
    {
      title: 'Claim',
      options: [{ flags: ['--force'], text: 'also a claim of another session or process' }],
    },
    place('agent'),
    { title: 'Output', options: [QUIET] },
  ],
  exits: [
    ['0', 'released'],
    EXIT_USAGE,
    ['65', 'the agent has no claim, or nothing of PATH'],
    EXIT_INTERNAL,
    EXIT_FOLDER,
    ['75', 'it belongs to another session or process'],
  ],
  environment: CLAIM_ENVIRONMENT,
  examples: [
    { command: 'holdfast claim release --agent api app/api/client.ts', text: 'Give up one file.' },
    { command: 'holdfast claim release --agent api', text: 'Give up everything.' },
  ],
  seeAlso: ['claim add', 'claim clear'],
};
