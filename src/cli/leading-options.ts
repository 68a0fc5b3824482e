import { type ParseArgsConfig, parseArgs } from 'node:util';
import { usageError } from './exit-codes.js';

type Options = NonNullable<ParseArgsConfig['options']>;

export interface Leading {
  /** An option that is `multiple` has an array. */
  values: Map<string, string | true | string[]>;
  /** The first word that is no option. */
  operand: string | undefined;
  /** What follows it, with options of its own. */
  command: string[];
}

/**
 * `[options] OPERAND [options] [--] COMMAND…`. parseArgs does not stop where
 * the command begins; its tokens tell where that is.
 */
export function parseLeading(argv: string[], options: Options, name: string): Leading {
  const { tokens } = parseArgs({ args: argv, options, strict: false, tokens: true });
  const values = new Map<string, string | true | string[]>();
  let operand: string | undefined;
  for (const token of tokens) {
    if (token.kind === 'option') {
      const known = Object.hasOwn(options, token.name) ? options[token.name] : undefined;
      if (known === undefined) throw usageError(`unknown option ${token.rawName}`, name);
      const takesValue = known.type === 'string';
      if (takesValue !== (token.value !== undefined)) {
        const problem = takesValue ? 'needs a value' : 'takes no value';
        throw usageError(`${token.rawName} ${problem}`, name);
      }
      const given = token.value ?? true;
      const earlier = (values.get(token.name) ?? []) as string[];
      values.set(token.name, known.multiple === true ? [...earlier, given as string] : given);
      continue;
    }
    const from = token.kind === 'positional' ? token.index : token.index + 1;
    if (operand !== undefined) return { values, operand, command: argv.slice(from) };
    operand = argv[from];
    // Behind `--` everything else is the command.
    if (token.kind === 'option-terminator') {
      const command = argv.slice(from + 1);
      // As in `-- DIR -- COMMAND`.
      return { values, operand, command: command[0] === '--' ? command.slice(1) : command };
    }
  }
  return { values, operand, command: [] };
}
