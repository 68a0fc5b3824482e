import type { Page } from './page.js';
import { EXIT_INTERNAL, EXIT_USAGE, JSON_OPTION, QUIET } from './shared.js';

export const page: Page = {
  name: 'doctor',
  summary: 'test whether locks work in a folder',
  usage: ['doctor [options] DIR'],
  operands: 'folder',
  description: [
    'Tests whether locks work in DIR, with two real processes that share, contend, hand over and die. Shows the kind of file system, what is promised there and what is not. Works in a folder of its own inside DIR, and removes it.',
    'Also shows whether the hooks for claims work that are installed for DIR.',
  ],
  options: [{ title: 'Options', options: [JSON_OPTION, QUIET] }],
  exits: [
    ['0', 'locks work'],
    EXIT_USAGE,
    ['65', 'they do not, or a hook does not'],
    EXIT_INTERNAL,
    ['73', 'DIR does not exist, or no file can be created in it'],
  ],
  examples: [
    { command: 'holdfast doctor .', text: 'Do locks work here?' },
    {
      command: "holdfast doctor -q /mnt/shared || echo 'no locks on /mnt/shared' >&2",
      text: 'In a script that needs them.',
    },
  ],
  schema: 'doctor.json',
  seeAlso: ['status', 'claim install-hook'],
};
