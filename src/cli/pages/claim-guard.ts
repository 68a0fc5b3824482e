import { IGNORE_INVALID } from './claim-shared.js';
import type { Page } from './page.js';
import { CLAIM_ENVIRONMENT, EXIT_FOLDER, EXIT_INTERNAL, EXIT_USAGE, place } from './shared.js';

export const page: Page = {
  name: 'claim guard',
  summary: 'refuse a commit that changes what others have claimed',
  usage: ['claim guard --staged [options]'],
  operands: 'none',
  description: [
    'For a pre-commit hook of git: refuses if the commit adds, changes, moves or removes what another agent has claimed, and names the owner. `git commit --no-verify` passes.',
  ],
  options: [
    {
      title: 'Verdict',
      options: [{ flags: ['--staged'], text: 'what is staged; required' }, IGNORE_INVALID],
    },
    place('agent'),
  ],
  exits: [
    ['0', 'the commit may go on'],
    EXIT_USAGE,
    ['65', 'the claims cannot be read, or git failed'],
    ['69', 'git cannot be run'],
    EXIT_INTERNAL,
    EXIT_FOLDER,
    ['75', 'the commit changes what others have claimed'],
  ],
  environment: CLAIM_ENVIRONMENT,
  examples: [
    { command: 'holdfast claim guard --staged', text: 'In .git/hooks/pre-commit.' },
    {
      command: 'holdfast claim install-hook --for git',
      text: 'Put it there; a hook that is there already still runs.',
    },
  ],
  seeAlso: ['claim install-hook', 'claim check', 'githooks(5)'],
};
