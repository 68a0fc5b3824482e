import type { Page } from './page.js';
import {
  CLAIM_ENVIRONMENT,
  EXIT_FOLDER,
  EXIT_INTERNAL,
  EXIT_USAGE,
  place,
  QUIET,
  TIMES,
} from './shared.js';

export const page: Page = {
  name: 'claim renew',
  summary: "extend an agent's claim",
  usage: ['claim renew [options]'],
  operands: 'none',
  description: ["Puts the expiry of the agent's claim TIME from now.", TIMES],
  options: [
    {
      title: 'Claim',
      options: [{ flags: ['--ttl'], value: 'TIME', text: 'time until it expires; by default 1h' }],
    },
    place('agent'),
    { title: 'Output', options: [QUIET] },
  ],
  exits: [
    ['0', 'renewed'],
    EXIT_USAGE,
    ['65', 'the agent has no claim, or it has expired'],
    EXIT_INTERNAL,
    EXIT_FOLDER,
  ],
  environment: CLAIM_ENVIRONMENT,
  examples: [
    {
      command: 'holdfast claim renew --agent api --ttl 2h',
      text: 'Let it expire two hours from now.',
    },
  ],
  seeAlso: ['claim add', 'claim release'],
};
