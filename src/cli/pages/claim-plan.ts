import type { Page } from './page.js';
import { EXIT_FOLDER, EXIT_INTERNAL, JSON_OPTION, ONLY_FOLDER, place, QUIET } from './shared.js';

export const page: Page = {
  name: 'claim plan',
  summary: 'show which agents can work at the same time',
  usage: ['claim plan [options] FILE|-'],
  operands: 'file',
  description: [
    'Reads what several agents want to claim, and shows the conflicts and the waves in which the agents can work at the same time. Claims nothing. FILE, or standard input, is a JSON array:',
    [
      '[{ "agent": "api", "directories": ["app/api"] },',
      ' { "agent": "tests", "files": ["**/*.test.ts"], "except": ["e2e"],',
      '   "task_description": "Cover API" }]',
    ],
    'Paths are relative to the root. With --dir, the plan includes the existing claims.',
  ],
  options: [place('anybody'), { title: 'Output', options: [JSON_OPTION, QUIET] }],
  exits: [
    ['0', 'no conflicts'],
    ['64', 'wrong usage, or FILE is not a plan'],
    ['65', 'the claims cannot be read'],
    EXIT_INTERNAL,
    EXIT_FOLDER,
    ['75', 'some of the agents conflict'],
  ],
  environment: ONLY_FOLDER,
  examples: [
    { command: 'holdfast claim plan plan.json', text: 'Who can work at the same time?' },
    {
      command: "holdfast claim plan --json plan.json | jq -c '.waves[]'",
      text: 'Print the waves.',
    },
  ],
  schema: 'claim-plan.json',
  seeAlso: ['claim add', 'claim audit'],
};
