import type { Page } from './page.js';
import { CLAIM_ENVIRONMENT, EXIT_INTERNAL, EXIT_USAGE, place } from './shared.js';

export const page: Page = {
  name: 'mcp',
  summary: 'serve claims as the tools of an agent, by MCP',
  usage: ['mcp [--dir DIR] [--root DIR] [--agent NAME]'],
  operands: 'none',
  description: [
    'A server on standard input and output, which the host of an agent starts. Its tools are claim, release, check, list and plan; the resource holdfast://claims tells of changes.',
    'The claims belong to the host. They are free when its process ends, however it ends, and when the server ends in order: at the end of its input, or by SIGTERM, SIGINT or SIGHUP. If the server is killed, they stay until the host ends.',
  ],
  options: [place('agent')],
  exits: [['0', 'the host has closed the input, or a signal ended it'], EXIT_USAGE, EXIT_INTERNAL],
  environment: CLAIM_ENVIRONMENT,
  examples: [
    {
      command: 'claude mcp add holdfast -- npx holdfast mcp',
      text: 'For Claude Code. Other hosts have it in a file of settings: docs/agents.md.',
    },
  ],
  seeAlso: ['claim', 'claim install-hook'],
};
