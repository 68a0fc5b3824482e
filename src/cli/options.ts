import { type ParseArgsConfig, parseArgs } from 'node:util';
import { nearest } from '../base/argument-errors.js';
import { Asked, EXIT, usageError } from './exit-codes.js';

type Options = NonNullable<ParseArgsConfig['options']>;

export const FLAG = { type: 'boolean' } as const;
export const TEXT = { type: 'string' } as const;
/** Options that every command has; the parsers below answer them. */
export const ASKING = {
  help: { ...FLAG, short: 'h' },
  version: { ...FLAG, short: 'V' },
} as const;
// Options that several commands have.
export const QUIET = { ...FLAG, short: 'q' } as const;
export const TIMEOUT = { ...TEXT, short: 'w' } as const;
export const CONFLICT_EXIT_CODE = { ...TEXT, short: 'E' } as const;

/** Options and words in any order. Throws {@link Asked} for --help and --version. */
export function parseMixed<O extends Options>(
  argv: string[],
  options: O,
  command: string,
): ReturnType<typeof parseArgs<{ args: string[]; allowPositionals: true; options: O }>> {
  const all: Options = { ...options, ...ASKING };
  const config = { args: argv, options: all };
  try {
    const parsed = parseArgs({ ...config, allowPositionals: true });
    answer(Object.keys(parsed.values), command);
    return parsed as ReturnType<typeof parseMixed<O>>;
  } catch (error) {
    if (error instanceof Asked) throw error;
    // It explains unknown options better.
    for (const token of parseArgs({ ...config, strict: false, tokens: true }).tokens) {
      if (token.kind === 'option') checkOption(token, all, command);
    }
    // The first sentence names the option; the others explain parseArgs.
    throw usageError((error as Error).message.split('. ')[0] ?? '', command);
  }
}

/** Throws {@link Asked} if one of the options asks for the help or the version. */
export function answer(names: Iterable<string>, command: string): void {
  const given = new Set(names);
  if (given.has('help')) throw new Asked('help', command);
  if (given.has('version')) throw new Asked('version', command);
}

/** The same of the first word, for what has a parser of its own. */
export function answerFirst([first = '']: readonly string[], command: string): void {
  for (const [name, { short }] of Object.entries(ASKING)) {
    if (first === `--${name}` || first === `-${short}`) answer([name], command);
  }
}

export interface Leading {
  /** An option that is `multiple` has an array. */
  values: Map<string, string | true | string[]>;
  /** The first word that is not an option. */
  operand: string | undefined;
  /** What follows the operand, with options of its own. */
  command: string[];
}

/**
 * `[options] OPERAND [options] [--] COMMAND…`. parseArgs does not stop at the
 * command, but its tokens show where that begins. Throws {@link Asked}.
 */
export function parseLeading(argv: string[], own: Options, name: string): Leading {
  const leading = splitLeading(argv, { ...own, ...ASKING }, name);
  answer(leading.values.keys(), name);
  return leading;
}

function splitLeading(argv: string[], options: Options, name: string): Leading {
  const { tokens } = parseArgs({ args: argv, options, strict: false, tokens: true });
  const values = new Map<string, string | true | string[]>();
  let operand: string | undefined;
  for (const token of tokens) {
    if (token.kind === 'option') {
      const { multiple } = checkOption(token, options, name);
      const given = token.value ?? true;
      const earlier = (values.get(token.name) ?? []) as string[];
      values.set(token.name, multiple === true ? [...earlier, given as string] : given);
      continue;
    }
    const from = token.kind === 'positional' ? token.index : token.index + 1;
    if (operand !== undefined) return { values, operand, command: argv.slice(from) };
    operand = argv[from];
    // After `--` everything else is the command.
    if (token.kind === 'option-terminator') {
      const command = argv.slice(from + 1);
      // As in `-- DIR -- COMMAND`.
      return { values, operand, command: command[0] === '--' ? command.slice(1) : command };
    }
  }
  return { values, operand, command: [] };
}

interface OptionToken {
  name: string;
  /** As typed: `-w`, `--timeout`. */
  rawName: string;
  value?: string | undefined;
}

/** Throws if the option is unknown, lacks its value or has one that it does not take. */
export function checkOption(
  { name, rawName, value }: OptionToken,
  options: Options,
  command: string,
): Options[string] {
  const option = Object.hasOwn(options, name) ? options[name] : undefined;
  if (option === undefined) {
    // A single letter is similar to any other.
    const long = Object.keys(options).filter((each) => each.length > 1);
    const near = rawName.startsWith('--') ? nearest(name, long) : undefined;
    const advice = near === undefined ? '' : `; did you mean --${near}?`;
    throw usageError(`unknown option ${rawName}${advice}`, command);
  }
  const takesValue = option.type === 'string';
  if (takesValue === (value !== undefined)) return option;
  throw usageError(`${rawName} ${takesValue ? 'needs a value' : 'takes no value'}`, command);
}

/** The exit status of a refusal. */
export function parseConflictCode(text: string | undefined, command: string): number {
  if (text === undefined) return EXIT.refused;
  if (/^\d+$/.test(text) && Number(text) <= 255) return Number(text);
  const problem = `-E (--conflict-exit-code) takes a number from 0 to 255, not '${text}'`;
  throw usageError(problem, command);
}
