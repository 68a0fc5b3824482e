import type { Page } from './page.js';
import { EXIT_CANNOT_RUN, EXIT_INTERNAL, EXIT_USAGE, TIMES, URLS } from './shared.js';

export const page: Page = {
  name: 'elect',
  summary: 'run a command in one of several processes',
  usage: [
    'elect [options] DIR [--] COMMAND [ARGUMENT…]',
    'elect [options] URL [--] COMMAND [ARGUMENT…]',
    'elect status [--json] DIR|URL',
  ],
  operands: 'command',
  description: [
    'Of all processes started this way with one DIR, one runs its COMMAND: the primary. The others stand by. When the primary ends, crashes or is killed, the next one becomes primary within milliseconds. A missing DIR is created.',
    'COMMAND inherits the seat: if holdfast is killed, there is no second primary while COMMAND runs. If the folder or its .primary is removed or replaced, or the lock of a URL is lost, COMMAND gets SIGTERM and after 5 s SIGKILL. holdfast passes signals on to COMMAND.',
    URLS,
    TIMES,
  ],
  options: [
    {
      title: 'Options',
      options: [
        {
          flags: ['--id'],
          value: 'ID',
          text: 'the id of this member, unique among the living members; by default, later members have later ids. Not with a URL',
        },
        {
          flags: ['--settle'],
          value: 'TIME',
          text: 'wait TIME before taking a free seat, so that the smallest id takes it if members start together: 150ms is enough; by default 0. Not with a URL',
        },
        {
          flags: ['-q', '--quiet'],
          text: 'no messages while standing by, or if a living member has this ID',
        },
      ],
    },
  ],
  exits: [
    ['N', 'the status of COMMAND'],
    EXIT_USAGE,
    ['65', 'the lock failed or was lost, or the file of ID or .primary belongs to another program'],
    EXIT_CANNOT_RUN,
    EXIT_INTERNAL,
    ['73', 'DIR or .primary cannot be created, opened or written'],
    ['75', 'a living member has this ID'],
  ],
  environment: [['HOLDFAST_TERM', 'set for COMMAND: a number that grows with every new primary']],
  examples: [
    {
      command: 'holdfast elect /run/scheduler -- ./scheduler.sh',
      text: 'Start it several times: one schedules, and another takes over when it dies.',
    },
    {
      command: "holdfast elect 'etcd://etcd-1,etcd-2/scheduler' -- ./scheduler.sh",
      text: 'The same for several machines.',
    },
  ],
  seeAlso: ['elect status', 'run'],
};
