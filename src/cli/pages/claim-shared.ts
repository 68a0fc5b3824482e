// What `claim add`, `wait` and `run` say alike.
import type { PageOption } from './page.js';
import { EXIT_FOLDER, EXIT_INTERNAL, EXIT_INVALID, EXIT_USAGE } from './shared.js';

export const PATTERNS =
  'PATH may be a pattern: `*` within a name, `**` for folders, `?` for a character, `{a,b}` for either; everything else is literal, and `\\` escapes. A PATH is claimed with everything below it.';

export const SCOPE: readonly PageOption[] = [
  { flags: ['--except'], value: 'PATTERN', text: 'but not this', repeatable: true },
  { flags: ['--task'], value: 'TEXT', text: 'what the claim is for; others see it' },
  { flags: ['--ttl'], value: 'TIME', text: 'time until it expires; by default 1h' },
];

export const SESSION: PageOption = {
  flags: ['--session'],
  value: 'PID',
  text: 'the claim ends with this process, and not before; by default with the program that runs the agent',
};

export const FORCE: PageOption = {
  flags: ['--force'],
  text: 'take a name that another session or process has',
};

export const IGNORE_INVALID: PageOption = {
  flags: ['--ignore-invalid'],
  text: 'ignore files in the folder that are not valid claims',
};

export const timeout = (text: string): PageOption => ({
  flags: ['-w', '--timeout'],
  value: 'TIME',
  text,
});

export const CLAIMING_EXITS = [
  EXIT_USAGE,
  EXIT_INVALID,
  EXIT_INTERNAL,
  EXIT_FOLDER,
  [
    '75',
    'refused, or the time is up: a conflict with the claim of another agent, or a name that another session has',
  ],
] as const;
