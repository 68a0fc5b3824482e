import type { Page } from './page.js';
import { EXIT_CANNOT_RUN, EXIT_INTERNAL, EXIT_USAGE, TIMES } from './shared.js';

export const page: Page = {
  name: 'next-id',
  summary: 'print a number that nobody else gets',
  usage: ['next-id [options] DIR [--] [COMMAND [ARGUMENT…]]'],
  operands: 'command',
  description: [
    'Prints the next id of DIR: one above the largest number in the names of its entries and above the last id given out. With COMMAND, {id} in its arguments is replaced by the id, and other callers wait until COMMAND has ended. If COMMAND fails, the id is free again, unless there is an entry with it by then.',
    'Names that begin with a dot do not count, except with --pattern. If some names begin with a number and others have one elsewhere, or a name has several, the id is ambiguous: use --pattern.',
    'COMMAND inherits the locks: if holdfast is killed, other callers still wait for COMMAND. The last id is stored in each folder, in the file NAME.last.',
    TIMES,
  ],
  options: [
    {
      title: 'Options',
      options: [
        {
          flags: ['--pattern'],
          value: 'REGEXP',
          text: 'finds the id in the name of an entry, in its first group; by default the number that names begin with, or, if no name does, their only number',
        },
        {
          flags: ['--with'],
          value: 'DIR2',
          text: 'another folder that shares the ids',
          repeatable: true,
          completes: 'folder',
        },
        {
          flags: ['--pad'],
          value: 'N',
          text: 'write at least N digits: 0042; by default as many as the entries have, if all have the same width',
        },
        {
          flags: ['--reuse'],
          text: 'the smallest id that no entry has, so that ids of deleted entries are used again',
        },
        { flags: ['--start'], value: 'N', text: 'the first id; by default 1' },
        {
          flags: ['-w', '--timeout'],
          value: 'TIME',
          text: 'wait at most TIME for other callers; by default 30 s',
        },
        {
          flags: ['--lock-name'],
          value: 'NAME',
          text: 'the name of the lock file in DIR; by default .next-id.lock',
        },
        {
          flags: ['--locker'],
          value: 'URL',
          text: 'take the lock from a server, if machines share DIR: see `holdfast run --help`. Without a NAME in the URL, it is the path of the lock file',
        },
        { flags: ['-q', '--quiet'], text: 'no message when the time is up' },
      ],
    },
  ],
  exits: [
    ['N', '0, or the status of COMMAND'],
    EXIT_USAGE,
    ['65', 'the id is ambiguous, there is none left, or the lock failed'],
    EXIT_CANNOT_RUN,
    EXIT_INTERNAL,
    ['73', 'a folder or lock cannot be created or opened'],
    ['74', 'the id could not be printed, and is not given out'],
    ['75', 'the time is up'],
  ],
  environment: [['HOLDFAST_ID', 'set for COMMAND: the id']],
  examples: [
    { command: 'holdfast next-id tickets', text: 'Print the next id.' },
    {
      command: 'holdfast next-id tickets mkdir tickets/{id}-new',
      text: 'Create an entry with the next id; if that fails, the id is free again.',
    },
    {
      command: 'holdfast next-id --pad 4 migrations -- touch migrations/{id}_users.sql',
      text: 'Number migrations 0001, 0002 and so on.',
    },
  ],
  seeAlso: ['run'],
};
