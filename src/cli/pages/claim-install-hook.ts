import { HOSTS, UNCLAIMED } from './claim-agents.js';
import type { Page } from './page.js';
import { DIR, EXIT_INTERNAL, EXIT_USAGE } from './shared.js';

export const page: Page = {
  name: 'claim install-hook',
  summary: 'make agents claim what they write',
  usage: ['claim install-hook --for HOST [options]'],
  operands: 'none',
  description: [
    'Puts a hook into the settings of HOST, a program that runs agents, and prints what it changes. From then on the first write of an agent claims the file, the write of another one is refused, and everything is free when the session ends.',
    'For git it is a pre-commit hook, which runs the one that was there first.',
  ],
  options: [
    {
      title: 'Options',
      options: [
        {
          flags: ['--for'],
          value: 'HOST',
          text: `the program that runs agents: ${HOSTS.join(', ')}`,
          choices: HOSTS,
        },
        {
          flags: ['--user'],
          text: 'in the settings of the user, for all projects; by default in those of this working tree',
        },
        UNCLAIMED,
        {
          ...DIR,
          text: 'the folder with the claims; by default that of the repository of each path',
        },
        { flags: ['--dry-run'], text: 'only print what would change' },
        { flags: ['--remove'], text: 'take it out again' },
      ],
    },
  ],
  exits: [
    ['0', 'done'],
    EXIT_USAGE,
    ['65', 'the settings are not JSON, or of another form; they are left alone'],
    ['69', 'this system has no POSIX shell'],
    EXIT_INTERNAL,
    ['73', 'the settings cannot be read or written'],
  ],
  examples: [
    {
      command: 'holdfast claim install-hook --for claude-code --dry-run',
      text: 'Show what would change.',
    },
    {
      command: 'holdfast claim install-hook --for git',
      text: 'Guard the commits of this repository.',
    },
    {
      command: 'holdfast claim install-hook --for claude-code --remove',
      text: 'Take the hook out again.',
    },
  ],
  seeAlso: ['claim bypass', 'claim guard', 'doctor', 'mcp'],
};
