import { type ParseArgsConfig, parseArgs } from 'node:util';
import { EXIT, usageError } from './exit-codes.js';

type Options = NonNullable<ParseArgsConfig['options']>;

export const FLAG = { type: 'boolean' } as const;
export const TEXT = { type: 'string' } as const;
// Options that several commands have.
export const HELP = { ...FLAG, short: 'h' } as const;
export const QUIET = { ...FLAG, short: 'q' } as const;
export const TIMEOUT = { ...TEXT, short: 'w' } as const;
export const CONFLICT_EXIT_CODE = { ...TEXT, short: 'E' } as const;

/** Options and words in any order. */
export function parseMixed<O extends Options>(
  argv: string[],
  options: O,
  command: string,
): ReturnType<typeof parseArgs<{ args: string[]; allowPositionals: true; options: O }>> {
  try {
    return parseArgs({ args: argv, allowPositionals: true, options });
  } catch (error) {
    // The first sentence names the option; the others explain parseArgs.
    throw usageError((error as Error).message.split('. ')[0] ?? '', command);
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
 * command, but its tokens show where that begins.
 */
export function parseLeading(argv: string[], options: Options, name: string): Leading {
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
  if (option === undefined) throw usageError(`unknown option ${rawName}`, command);
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
