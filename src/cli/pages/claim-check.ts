import { IGNORE_INVALID } from './claim-shared.js';
import type { Page } from './page.js';
import {
  CLAIM_ENVIRONMENT,
  CONFLICT_CODE,
  EXIT_FOLDER,
  EXIT_INTERNAL,
  EXIT_USAGE,
  JSON_OPTION,
  ONE_FILE,
  place,
  QUIET,
} from './shared.js';

export const page: Page = {
  name: 'claim check',
  summary: 'show which agent has each path',
  usage: ['claim check [options] PATH…'],
  operands: 'file',
  description: [
    'Shows for each PATH which agent has claimed it, and refuses if one is claimed by another agent. A PATH need not exist. A PATH that the claims are not about is "outside", which is no refusal.',
    ONE_FILE,
  ],
  options: [
    {
      title: 'Verdict',
      options: [
        { flags: ['--strict'], text: 'also refuse what nobody has claimed' },
        CONFLICT_CODE,
        IGNORE_INVALID,
      ],
    },
    place('agent'),
    { title: 'Output', options: [JSON_OPTION, QUIET] },
  ],
  exits: [
    ['0', 'no PATH is claimed by another agent'],
    EXIT_USAGE,
    ['65', 'the claims cannot be read'],
    EXIT_INTERNAL,
    EXIT_FOLDER,
    ['75', 'a PATH is claimed by another agent; with --strict also by nobody'],
  ],
  environment: CLAIM_ENVIRONMENT,
  examples: [
    { command: 'holdfast claim check app/api/x.ts lib/y.ts', text: 'Whose are these files?' },
    {
      command: 'holdfast claim check -q --agent shop app/shop/page.tsx',
      text: 'Before a tool writes: only the exit status.',
    },
  ],
  schema: 'claim-check.json',
  seeAlso: ['claim list', 'claim guard'],
};
