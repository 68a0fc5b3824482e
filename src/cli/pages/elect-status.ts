import type { Page } from './page.js';
import { EXIT_INTERNAL, EXIT_USAGE, JSON_OPTION, URLS } from './shared.js';

export const page: Page = {
  name: 'elect status',
  summary: 'show the members of an election and the primary',
  usage: ['elect status [--json] DIR|URL'],
  operands: 'folder',
  description: [
    'Shows the members, which of them is primary, and since when each is a member. It changes nothing.',
    URLS,
  ],
  options: [{ title: 'Options', options: [JSON_OPTION] }],
  exits: [
    ['0', 'whatever it shows'],
    EXIT_USAGE,
    ['65', 'the server of a URL cannot be asked'],
    EXIT_INTERNAL,
    ['73', 'DIR cannot be read'],
  ],
  examples: [
    { command: 'holdfast elect status /run/scheduler', text: 'Who is primary?' },
    {
      command:
        "holdfast elect status --json /run/scheduler | jq -r '.members[] | select(.primary).pid'",
      text: 'Print the pid of the primary.',
    },
  ],
  schema: 'elect-status.json',
  seeAlso: ['elect', 'status'],
};
