import { HOSTS_WITH_HOOK, UNCLAIMED } from './claim-agents.js';
import type { Page } from './page.js';
import { CLAIM_ENVIRONMENT, DIR, TIMES } from './shared.js';

export const page: Page = {
  name: 'claim hook',
  summary: 'what the settings of a program that runs agents call',
  usage: ['claim hook --for HOST [options]'],
  operands: 'none',
  description: [
    'Reads what HOST says of a write from standard input, as JSON, and answers as HOST expects. `claim install-hook` puts it into the settings; people need not call it.',
    TIMES,
  ],
  options: [
    {
      title: 'Options',
      options: [
        {
          flags: ['--for'],
          value: 'HOST',
          text: `the program that runs agents: ${HOSTS_WITH_HOOK.join(', ')}`,
          choices: HOSTS_WITH_HOOK,
        },
        UNCLAIMED,
        {
          flags: ['--timeout'],
          value: 'TIME',
          text: 'how long HOST waits for the answer; 30s. It is given a second earlier',
        },
        {
          ...DIR,
          text: 'the folder with the claims; by default HOLDFAST_CLAIMS, else that of the repository of each path',
        },
        {
          flags: ['--agent'],
          value: 'NAME',
          text: 'whose claim it is; by default HOLDFAST_AGENT, else the name and pid of HOST',
        },
        { flags: ['--probe'], text: 'only show that the hook runs; `holdfast doctor` uses it' },
      ],
    },
  ],
  exits: [
    ['0', 'the write may go on, or the answer on standard output refuses it'],
    ['2', 'refused; standard error says why'],
    ['64', 'wrong usage'],
  ],
  environment: CLAIM_ENVIRONMENT,
  examples: [{ command: 'holdfast claim hook --for codex --probe', text: 'Does the hook run?' }],
  seeAlso: ['claim install-hook'],
};
