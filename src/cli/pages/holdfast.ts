import type { Page } from './page.js';
import { EXIT_USAGE } from './shared.js';

export const page: Page = {
  name: '',
  summary: 'file locks that the kernel releases when the process dies',
  usage: ['COMMAND [options] …', 'help COMMAND'],
  operands: 'none',
  description: [
    'Locks files with flock(2), for commands, programs and agents. Whatever happens to the process that holds a lock, the kernel releases it when the process ends.',
  ],
  options: [],
  exits: [
    EXIT_USAGE,
    ['74', 'standard output cannot be written to'],
    ['75', 'refused, or the time is up; the same for all commands'],
    ['141', 'the reader of standard output is gone'],
  ],
  environment: [
    ['NO_COLOR', 'if not empty: no bold headings on a terminal'],
    [
      'HOLDFAST_PREBUILD',
      "the folder that holds prebuilds/, absolute, if it is not the package's own",
    ],
  ],
  examples: [
    { command: 'holdfast run -n deploy.lock ./deploy.sh', text: 'Run one deployment at a time.' },
    { command: 'holdfast status deploy.lock', text: 'Who is deploying?' },
  ],
  seeAlso: ['flock(1)', 'flock(2)'],
};
