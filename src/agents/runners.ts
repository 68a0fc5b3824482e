// Programs that run the command, or the shell line, that their arguments name.

/** What a runner's arguments name. */
export type Runs = { words: string[] } | { line: string };

interface Runner {
  /** The letters of its options whose value is the next word. */
  valued?: string;
  /** Words before the command that are no options: all that match. */
  before?: RegExp;
  /** How many words there are before the command, such as a file to lock. */
  operands?: number;
  /** The letter of an option whose value is a shell line. */
  line?: string;
  /** It adds words from its input, and none of them is known. */
  adds?: boolean;
  /** It gives the words to a shell, as one line. */
  joins?: boolean;
}

const ASSIGNMENT = /^\w+=/;
const RUNNERS: Record<string, Runner> = {
  builtin: {},
  busybox: {},
  caffeinate: { valued: 'tw' },
  command: {},
  doas: { valued: 'uC' },
  env: { valued: 'uC', before: ASSIGNMENT, line: 'S' },
  exec: { valued: 'a' },
  flock: { valued: 'wE', operands: 1, line: 'c' },
  ionice: { valued: 'cnpPu' },
  nice: { valued: 'n' },
  nohup: {},
  script: { valued: 'EIOBTm', operands: Number.POSITIVE_INFINITY, line: 'c' },
  setsid: {},
  stdbuf: { valued: 'ioe' },
  su: { valued: 'gGsw', operands: Number.POSITIVE_INFINITY, line: 'c' },
  sudo: { valued: 'ugpChUrtTDR', before: ASSIGNMENT },
  time: { valued: 'fo' },
  timeout: { valued: 'ks', before: /^[\d.]+[smhd]?$/ },
  watch: { valued: 'nq', joins: true },
  xargs: { valued: 'IJnPLsdEa', adds: true },
};

/** Stands for words that are not known. */
const UNKNOWN = '{}';

/**
 * What a command runs whose program is `name`; empty: nothing that is known.
 * `isCommand` tells a program that is looked for.
 */
export function runsOf(
  name: string,
  words: readonly string[],
  isCommand: (word: string) => boolean,
): Runs[] {
  if (name === 'find') return found(words);
  // Run when the shell ends, or at a signal.
  if (name === 'trap') {
    const action = words[words[1] === '--' ? 2 : 1];
    return action === undefined ? [] : [{ line: action }];
  }
  const runner = Object.hasOwn(RUNNERS, name) ? (RUNNERS[name] as Runner) : null;
  if (runner === null || (name === 'command' && /^-\w*[vV]/.test(words[1] ?? ''))) return [];
  const { valued = '', before, line = '', adds = false, joins = false } = runner;
  let { operands = 0 } = runner;
  for (let at = 1; at < words.length; at++) {
    const word = words[at] as string;
    if (word === '--' || word === '-' || before?.test(word)) continue;
    const option = /^-([^-].*)$/.exec(word)?.[1];
    if (option !== undefined) {
      const letter = [...option].find((each) => (valued + line).includes(each));
      if (letter === undefined) continue;
      const value = option.slice(option.indexOf(letter) + 1) || words[++at];
      if (line.includes(letter)) return value === undefined ? [] : [{ line: value }];
    } else if (word.startsWith('--')) {
      const [long, value] = /^--(?:command|split-string)(?:=(.*))?$/s.exec(word) ?? [];
      if (line !== '' && long !== undefined) {
        const text = value ?? words[at + 1];
        return text === undefined ? [] : [{ line: text }];
      }
      // The next word may be its value.
      if (!word.includes('=') && !isCommand(words[at + 1] ?? '')) at++;
    } else if (operands > 0) operands--;
    else {
      const rest = words.slice(at);
      if (joins) return [{ line: rest.join(' ') }];
      return [{ words: adds ? withUnknown(rest, placeIn(words.slice(0, at))) : rest }];
    }
  }
  return [];
}

/** What stands in the command for the words from the input (`-I %`); `null`: they come last. */
function placeIn(options: readonly string[]): string | null {
  for (const [at, each] of options.entries()) {
    const [, letter, text] = /^(?:-[0prtx]*([IJi])|--replace=?)(.*)$/.exec(each) ?? [];
    if (text !== undefined)
      return text || (/[IJ]/.test(letter ?? '') && options[at + 1]) || UNKNOWN;
  }
  return null;
}

function withUnknown(words: string[], place: string | null): string[] {
  if (place === null) return [...words, UNKNOWN];
  return words.map((each) => each.replaceAll(place, UNKNOWN));
}

/** The commands of `find … -exec COMMAND… ;`. */
function found(words: readonly string[]): Runs[] {
  return words.flatMap((word, at) => {
    if (!/^-(exec|ok)(dir)?$/.test(word)) return [];
    let end = at + 1;
    while (end < words.length && words[end] !== ';' && words[end] !== '+') end++;
    return [{ words: words.slice(at + 1, end) }];
  });
}
