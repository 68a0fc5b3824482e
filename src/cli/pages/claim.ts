import type { Page } from './page.js';
import {
  CLAIM_ENVIRONMENT,
  EXIT_CANNOT_RUN,
  EXIT_FOLDER,
  EXIT_INTERNAL,
  EXIT_INVALID,
  EXIT_USAGE,
  ONE_FILE,
} from './shared.js';

export const page: Page = {
  name: 'claim',
  summary: 'which of several agents may change what',
  usage: ['claim ACTION [options] [PATH…]'],
  operands: 'none',
  description: [
    "Several agents work on one tree. Each claims what it will change, and a claim that overlaps with another agent's is refused. The claims are files in a folder.",
    'With a hook, an agent claims a file by writing to it: `holdfast claim install-hook --help`.',
    ONE_FILE,
  ],
  options: [],
  exits: [
    ['0', 'done; `claim run` exits with the status of COMMAND'],
    EXIT_USAGE,
    EXIT_INVALID,
    EXIT_CANNOT_RUN,
    EXIT_INTERNAL,
    EXIT_FOLDER,
    ['75', 'refused: a conflict with another agent, or a path that another agent has'],
  ],
  environment: CLAIM_ENVIRONMENT,
  examples: [
    {
      command: "holdfast claim add --agent api --task 'Implement client' app/api/",
      text: 'Claim a folder.',
    },
    { command: 'holdfast claim list', text: 'Who has what?' },
    {
      command: 'holdfast claim check --agent shop app/shop/page.tsx',
      text: 'May this agent write that file? 0: yes, 75: another one has it.',
    },
    { command: 'holdfast claim release --agent api', text: 'Give the claim up.' },
  ],
  seeAlso: ['mcp', 'run'],
};
