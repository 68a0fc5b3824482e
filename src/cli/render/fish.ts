import { pageOf } from '../pages/index.js';
import type { Page, PageOption } from '../pages/page.js';
import { typedName } from './inline.js';
import { brief, isShort, lastWord, NAMED, optionsOf, wordsBelow } from './words.js';

/** For fish 3. */
export function fishCompletion(): string {
  const root = pageOf('') as Page;
  const values = [root, ...NAMED].map((page) => {
    const flags = optionsOf(page).flatMap(({ flags, value }) => (value === undefined ? [] : flags));
    return `        case ${quoted(typedName(page))}\n            string split ' ' -- ${quoted(flags.join(' '))}`;
  });
  return `# Completes holdfast in fish. Printed by: holdfast completion fish

# What the cursor is on: "holdfast claim add".
function __holdfast_page
    set -l words (commandline -opc)
    set -e words[1]
    test "$words[1]" = help; and set -e words[1]
    set -l page holdfast
    for word in $words
        contains -- "$page $word" ${NAMED.map((page) => quoted(typedName(page))).join(' ')}
        or break
        set -a page $word
    end
    echo "$page"
end

function __holdfast_at
    test (__holdfast_page) = "$argv"
end

# The options of a page that take a value.
function __holdfast_values
    switch "$argv"
${values.join('\n')}
    end
end

# How many words stand before the command that holdfast is to run, if there is one.
function __holdfast_before_command
    set -l words (commandline -opc)
    set -l page (__holdfast_page)
    set -l values (__holdfast_values $page)
    set -l at (string split ' ' -- $page | count)
    set -l value 0
    while test $at -lt (count $words)
        set at (math $at + 1)
        set -l word $words[$at]
        if test $value = 1
            set value 0
        else if test "$word" = --
            test "$page" = 'holdfast claim run'; and echo $at; and return
        else if string match -q -- '-*' $word
            contains -- $word $values; and set value 1
        else if test "$page" != 'holdfast claim run'
            test "$words[$(math $at + 1)]" = --; and set at (math $at + 1)
            echo $at
            return
        end
    end
    return 1
end

function __holdfast_runs
    set -l at (__holdfast_before_command)
    and test "$at" -ge 1
end

function __holdfast_command
    set -l words (commandline -opc)
    set -l at (__holdfast_before_command)
    set -e words[1..$at]
    complete -C (string join ' ' -- (string escape -- $words) (commandline -ct))
end

complete -c holdfast -f
${[root, ...NAMED].flatMap(linesOf).join('\n')}
`;
}

function linesOf(page: Page): string[] {
  const runs = page.operands === 'command' || page.operands === 'paths-command';
  const at = `__holdfast_at ${typedName(page)}`;
  const condition = runs ? `${at}; and not __holdfast_runs` : at;
  const line = (...rest: string[]): string =>
    ['complete -c holdfast', `-n ${quoted(condition)}`, ...rest].join(' ');
  const below = wordsBelow(page).map((each) =>
    line(`-a ${lastWord(each)}`, `-d ${quoted(brief(each.summary))}`),
  );
  const help =
    page.name === '' ? [line('-a help', `-d ${quoted('show the help of a command')}`)] : [];
  return [
    ...below,
    ...help,
    ...optionsOf(page).map((each) => line(optionOf(each))),
    ...operandsOf(page, line, at),
  ];
}

function operandsOf({ operands }: Page, line: (...rest: string[]) => string, at: string): string[] {
  const folders = line(`-a '(__fish_complete_directories)'`);
  if (operands === 'none') return [];
  if (operands === 'folder') return [folders];
  if (operands === 'file') return [line('-F')];
  if (typeof operands !== 'string') return [line(`-a ${quoted(operands.join(' '))}`)];
  const runs = `complete -c holdfast -n ${quoted(`${at}; and __holdfast_runs`)} -a '(__holdfast_command)'`;
  return [line('-F'), runs];
}

function optionOf(option: PageOption): string {
  const { flags, value, choices, completes } = option;
  const names = flags.map((flag) =>
    isShort(flag) ? `-s ${flag.slice(1)}` : `-l ${flag.slice(2)}`,
  );
  const values =
    choices !== undefined
      ? `-a ${quoted(choices.join(' '))}`
      : completes === 'folder'
        ? `-a '(__fish_complete_directories)'`
        : '';
  const takes = value === undefined ? '' : completes === 'file' ? '-rF' : '-x';
  const parts = [...names, takes, values, `-d ${quoted(brief(option.text))}`];
  return parts.filter((part) => part !== '').join(' ');
}

/** A word for fish, whose quotes escape otherwise than those of a POSIX shell. */
function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
