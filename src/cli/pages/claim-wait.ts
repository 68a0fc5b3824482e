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
  name: 'claim wait',
  summary: 'claim files and folders when it is your turn',
  usage: ['claim wait [options] PATH…'],
  operands: 'file',
  description: [
    'Like `claim add`, but waits until the paths are free. Agents that wait for the same path are served in order. A wait that can never end, because agents wait for each other in a circle, is refused.',
    'Where the folder with the claims cannot be written to, as in a sandbox, it waits until the paths are free, and claims nothing.',
    PATTERNS,
    ONE_FILE,
    TIMES,
  ],
  options: [
    {
      title: 'Claim',
      options: [
        ...SCOPE,
        SESSION,
        timeout('wait at most TIME; by default without end'),
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
    { command: 'holdfast claim wait --agent shop app/api/client.ts', text: 'Wait for a file.' },
    {
      command: "holdfast claim wait --agent shop -w 5m -q app/api/ || echo 'still taken'",
      text: 'Give up after five minutes.',
    },
  ],
  schema: 'claim-add.json',
  seeAlso: ['claim add', 'claim list'],
};
