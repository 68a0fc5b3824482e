import type { Page } from './page.js';
import {
  EXIT_FOLDER,
  EXIT_INTERNAL,
  EXIT_USAGE,
  JSON_OPTION,
  ONLY_FOLDER,
  place,
} from './shared.js';

export const page: Page = {
  name: 'claim list',
  summary: 'show all claims, and who waits',
  usage: ['claim list [options]'],
  operands: 'none',
  description: [
    'Shows the claims of all agents, also those that have ended, and who waits for whom. A claim is in one of these states:',
    [
      'active       in force; with * it is free as soon as a process ends',
      'unverified   in force until it expires: its process is out of sight',
      'conflicting  in force, and overlaps with another one (manual edits)',
      'expired      its time is up',
      'orphaned     its process has ended',
      'invalid      the file is not a valid claim',
    ],
    'The scope is the first path of a claim and how many more it has. If claims are in other working trees than this one, TREE names them; claims made manually or through MCP hold in all trees.',
    "On a terminal, the table is cut to the terminal's width, with … where something is left out. In a pipe it is whole.",
  ],
  options: [
    place('anybody'),
    {
      title: 'Output',
      options: [
        { flags: ['-l', '--long'], text: 'a line for each path, and for each exception' },
        JSON_OPTION,
      ],
    },
  ],
  exits: [
    ['0', 'whatever it shows'],
    EXIT_USAGE,
    ['65', 'the claims cannot be read'],
    EXIT_INTERNAL,
    EXIT_FOLDER,
  ],
  environment: ONLY_FOLDER,
  examples: [
    { command: 'holdfast claim list', text: 'Who has what?' },
    { command: 'holdfast claim list --long', text: 'The same with every path.' },
    {
      command: 'holdfast claim list --json | jq -r \'.[] | select(.state == "expired").agent\'',
      text: 'Print the agents whose claims have expired.',
    },
  ],
  schema: 'claim-list.json',
  seeAlso: ['claim watch', 'claim check', 'claim prune'],
};
