import type { Page } from './page.js';
import { EXIT_INTERNAL, EXIT_USAGE, JSON_OPTION, URLS } from './shared.js';

export const page: Page = {
  name: 'status',
  summary: 'show who holds a lock, who waits, and since when',
  usage: ['status [options] PATH|URL…'],
  operands: 'file',
  description: [
    'Shows who holds the lock on PATH, who waits, and since when. For a folder it shows every lock file in it. It changes nothing, and a moment later the answer may be another one.',
    URLS,
    'A lock is in one of these states:',
    [
      'held, held (shared)  somebody holds it',
      'free                 nobody does',
      'free, not released   the last holder died, and its record is left',
      'missing              there is no such file',
      'queue                of slots: who waits for one of them',
      'unknown              no holder is seen, but one may be out of sight:',
      '                     try --probe',
    ],
    "On a terminal, a table is cut to the terminal's width, with … where something is left out. In a pipe only a long command line is cut.",
  ],
  options: [
    {
      title: 'Options',
      options: [
        {
          ...JSON_OPTION,
          text: 'print an array of statuses; with --watch, one array in each line',
        },
        { flags: ['--watch'], text: 'print again at every change, until interrupted' },
        {
          flags: ['--probe'],
          text: 'if the system does not show the holder, try the lock for a moment; the server of a URL shows it anyway',
        },
      ],
    },
  ],
  exits: [
    ['0', 'whatever the state'],
    EXIT_USAGE,
    ['65', 'a PATH cannot be inspected'],
    EXIT_INTERNAL,
  ],
  examples: [
    { command: 'holdfast status deploy.lock', text: 'Who holds this lock?' },
    { command: 'holdfast status locks/', text: 'Show all lock files of a folder.' },
    {
      command: "holdfast status --json deploy.lock | jq -r '.[0].holders[].pid'",
      text: 'Print the pids of the holders.',
    },
  ],
  schema: 'status.json',
  seeAlso: ['run', 'doctor', 'lslocks(8)'],
};
