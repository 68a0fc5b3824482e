import {
  CLAIMING_EXITS,
  FORCE,
  IGNORE_INVALID,
  PATTERNS,
  SCOPE,
  SESSION,
  timeout,
} from './claim-shared.js';
import type { Page } from './page.js';
import { CLAIM_ENVIRONMENT, JSON_OPTION, ONE_FILE, place, QUIET, TIMES } from './shared.js';

export const page: Page = {
  name: 'claim add',
  summary: 'claim files and folders',
  usage: ['claim add [options] PATH…'],
  operands: 'file',
  description: [
    "Claims each PATH for an agent, or nothing if one of them is another agent's. What the agent has claimed before stays.",
    PATTERNS,
    ONE_FILE,
    TIMES,
  ],
  options: [
    {
      title: 'Claim',
      options: [
        ...SCOPE,
        { flags: ['--replace'], text: 'give up what the agent has claimed before' },
        SESSION,
        timeout('wait at most TIME for overlapping claims to be released; by default 0'),
        FORCE,
        IGNORE_INVALID,
      ],
    },
    place('agent'),
    {
      title: 'Output',
      options: [{ ...JSON_OPTION, text: 'print the claim as JSON' }, QUIET],
    },
  ],
  exits: [['0', 'claimed'], ...CLAIMING_EXITS],
  environment: CLAIM_ENVIRONMENT,
  examples: [
    { command: 'holdfast claim add --agent api app/api/', text: 'Claim a folder.' },
    {
      command:
        "holdfast claim add --agent tests --task 'Cover API' '**/*.test.ts' --except 'e2e/**'",
      text: 'Claim by a pattern, and say why.',
    },
    {
      command: 'holdfast claim add --agent api -w 10m package.json',
      text: 'Wait at most ten minutes for the agent that has it.',
    },
  ],
  schema: 'claim-add.json',
  seeAlso: ['claim wait', 'claim run', 'claim check', 'claim release'],
};
