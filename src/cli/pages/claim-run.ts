import { CLAIMING_EXITS, FORCE, IGNORE_INVALID, PATTERNS, SCOPE, timeout } from './claim-shared.js';
import type { Page } from './page.js';
import {
  CLAIM_ENVIRONMENT,
  CONFLICT_CODE,
  EXIT_CANNOT_RUN,
  ONE_FILE,
  place,
  QUIET,
  TIMES,
} from './shared.js';

export const page: Page = {
  name: 'claim run',
  summary: 'claim, run a command, release',
  usage: ['claim run [options] PATH… -- COMMAND [ARGUMENT…]'],
  operands: 'paths-command',
  description: [
    'Claims each PATH, runs COMMAND and releases the claim. The claim ends with COMMAND, even if holdfast is killed. Signals are passed on to COMMAND, as by `holdfast run`.',
    PATTERNS,
    ONE_FILE,
    TIMES,
  ],
  options: [
    {
      title: 'Claim',
      options: [
        ...SCOPE,
        timeout('wait at most TIME for overlapping claims to be released; by default 0'),
        { ...FORCE, text: 'replace the claim that this name has, of any session' },
        IGNORE_INVALID,
      ],
    },
    place('agent'),
    { title: 'Output', options: [QUIET, CONFLICT_CODE] },
  ],
  exits: [
    ['N', 'the status of COMMAND; 128+N if signal N ended it'],
    ...CLAIMING_EXITS.slice(0, 2),
    EXIT_CANNOT_RUN,
    ...CLAIMING_EXITS.slice(2),
  ],
  environment: [
    ...CLAIM_ENVIRONMENT,
    [
      '',
      'COMMAND gets HOLDFAST_AGENT and, if a folder was given, its absolute path in HOLDFAST_CLAIMS',
    ],
  ],
  examples: [
    {
      command: 'holdfast claim run --agent api app/api/ -- npm run codemod',
      text: 'Nobody else changes the folder meanwhile.',
    },
  ],
  seeAlso: ['claim add', 'run'],
};
