// A page is all that a person reads of one subcommand. The help, the manual,
// the completions and docs/command.md are made of it, and a test compares its
// options with those that the parser takes.

/** Text, in which `…` quotes what is typed; or lines that stay as they are. */
export type Block = string | readonly string[];

export interface PageOption {
  /** `-w`, `--timeout`: the short ones first. */
  flags: readonly string[];
  /** The name of its value. */
  value?: string;
  text: string;
  /** It may be given several times. */
  repeatable?: true;
  /** All values that it takes. */
  choices?: readonly string[];
  /** What its values are the paths of. */
  completes?: 'file' | 'folder';
}

export interface OptionGroup {
  title: string;
  options: readonly PageOption[];
}

export interface Page {
  /** The words after `holdfast`. */
  name: string;
  /** One line, without a stop. */
  summary: string;
  /** The forms of the command, without `holdfast`. */
  usage: readonly string[];
  /**
   * What its words are. `command`: a path, then a command with words of its own;
   * `paths-command`: paths, `--` and a command; an array: one of these words.
   */
  operands: 'file' | 'folder' | 'command' | 'paths-command' | 'none' | readonly string[];
  /** The first one says what it does. */
  description: readonly Block[];
  /** Without --help and --version, which all have. */
  options: readonly OptionGroup[];
  /** Status and what it means. */
  exits: readonly (readonly [status: string, text: string])[];
  environment?: readonly (readonly [name: string, text: string])[];
  examples: readonly { command: string; text: string }[];
  /** The file in schemas/ that describes what --json prints. */
  schema?: string;
  /** Names of pages, and others as `flock(1)`. */
  seeAlso: readonly string[];
}

export const HELP_OPTIONS: readonly PageOption[] = [
  { flags: ['-h', '--help'], text: 'print this help' },
  { flags: ['-V', '--version'], text: 'print the version' },
];
