import { pageOf } from '../pages/index.js';
import type { Page, PageOption } from '../pages/page.js';
import { brief, isShort, lastWord, NAMED, optionsOf, quoted, wordsBelow } from './words.js';

export function zshCompletion(): string {
  const root = pageOf('') as Page;
  return `#compdef holdfast
# Completes holdfast in zsh. Printed by: holdfast completion zsh
${[root, ...NAMED].map(functionOf).join('\n')}
# A command with words of its own, maybe after --.
_holdfast_command() {
  if [[ $words[1] == -- ]] && (( CURRENT > 1 )); then
    shift words
    (( CURRENT-- ))
  fi
  _normal
}

# As a file of $fpath its first call completes; read by a shell it registers itself.
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  _holdfast "$@"
else
  compdef _holdfast holdfast
fi
`;
}

function functionOf(page: Page): string {
  const below = wordsBelow(page);
  const isGroup = page.name === '' || page.name === 'claim';
  if (isGroup) return groupOf(page, below);
  const body = argumentsOf(page).join(' \\\n    ');
  return `${nameOf(page)}() {
${[...below.map(toBelow), ...(page.operands === 'paths-command' ? [AFTER_DASHES] : [])].join('')}  _arguments -s -S${page.operands === 'command' ? " -A '-*'" : ''} : \\
    ${body}
}
`;
}

/** Of `elect status`. */
function toBelow(page: Page): string {
  const word = lastWord(page);
  return `  if [[ $words[2] == ${word} ]] && (( CURRENT > 2 )); then
    shift words
    (( CURRENT-- ))
    ${nameOf(page)}
    return
  fi
`;
}

const AFTER_DASHES = `  local at=\${words[(i)--]}
  if (( at < CURRENT )); then
    words=("\${(@)words[at + 1, -1]}")
    (( CURRENT -= at ))
    _normal
    return
  fi
`;

function groupOf(page: Page, below: readonly Page[]): string {
  const lines = below.map((each) => {
    const word = lastWord(each);
    return quoted(`${word}:${brief(each.summary)}`);
  });
  const cases = below.map((each) => `${lastWord(each)}) ${nameOf(each)} ;;`);
  const help = page.name === '' ? ['help) _holdfast ;;'] : [];
  return `${nameOf(page)}() {
  local curcontext=$curcontext state line
  local -a below=(
    ${[...lines, ...(page.name === '' ? [quoted('help:show the help of a command')] : [])].join('\n    ')}
  )
  _arguments -C -S : \\
    ${[...optionsOf(page).map(optionSpec), quoted('1:command:->command'), quoted('*::argument:->argument')].join(' \\\n    ')}
  case $state in
    command) _describe -t commands command below ;;
    argument)
      case $words[1] in
        ${[...cases, ...help].join('\n        ')}
      esac ;;
  esac
}
`;
}

function argumentsOf(page: Page): string[] {
  return [...optionsOf(page).map(optionSpec), ...operandSpecs(page)];
}

/** `(-w --timeout)`{-w+,--timeout=}`[text]:TIME:`. */
function optionSpec(option: PageOption): string {
  const { flags, value, text, repeatable } = option;
  const names = flags.map(
    (flag) => `${flag}${value === undefined ? '' : isShort(flag) ? '+' : '='}`,
  );
  const excluded = repeatable ? '*' : `(${flags.join(' ')})`;
  const about = `[${brief(text).replace(/[[\]\\]/g, '\\$&')}]${valueSpec(option)}`;
  const [name = ''] = names;
  return names.length === 1
    ? quoted(`${excluded}${name}${about}`)
    : `${quoted(excluded)}{${names.join(',')}}${quoted(about)}`;
}

function valueSpec({ value, choices, completes }: PageOption): string {
  if (value === undefined) return '';
  if (choices !== undefined) return `:${value}:(${choices.join(' ')})`;
  if (completes === undefined) return `:${value}: `;
  return `:${value}:_files${completes === 'folder' ? ' -/' : ''}`;
}

function operandSpecs({ operands, name }: Page): string[] {
  if (operands === 'none') return [];
  if (typeof operands !== 'string') return [quoted(`1:shell:(${operands.join(' ')})`)];
  if (operands === 'folder') return [quoted('*:folder:_files -/')];
  if (operands !== 'command') return [quoted('*:path:_files')];
  const isElect = name === 'elect';
  return [
    isElect ? quoted('1:folder:{ compadd status; _files -/ }') : quoted('1:lock:_files'),
    // Its own options are none of these: -A.
    quoted('*:::command:_holdfast_command'),
  ];
}

function nameOf({ name }: Page): string {
  return `_holdfast${name === '' ? '' : `_${name.replaceAll(/[ -]/g, '_')}`}`;
}
