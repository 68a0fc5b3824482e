import { pageOf } from '../pages/index.js';
import type { Page } from '../pages/page.js';
import { lastWord, NAMED, optionsOf, quoted, wordsBelow } from './words.js';

/** For bash 3.2 or later, with or without the package bash-completion. */
export function bashCompletion(): string {
  const root = pageOf('') as Page;
  return `# Completes holdfast in bash. Printed by: holdfast completion bash
_holdfast_page() {
  options= values= operands=none below=
  case $page in
${[root, ...NAMED].map(caseOf).join('\n')}
  esac
}

_holdfast_choices() {
  case "$page $value" in
${[root, ...NAMED].flatMap(choicesOf).join('\n')}
  esac
}

# The words before the cursor say which page it is, whether the next word is the
# value of an option, and where a command of its own begins.
_holdfast() {
  local IFS=$' \\t\\n' cur=\${COMP_WORDS[COMP_CWORD]} page= value= word at=1 count=0
  local options values operands below command=0
  COMPREPLY=()
  _holdfast_page
  [ "\${COMP_WORDS[1]}" = help ] && [ "$COMP_CWORD" -gt 1 ] && at=2
  while [ "$at" -lt "$COMP_CWORD" ]; do
    word=\${COMP_WORDS[at]}
    case " $below " in
      *" $word "*) page="\${page:+$page }$word"; _holdfast_page; at=$((at + 1)) ;;
      *) break ;;
    esac
  done
  [ "$cur" = = ] && cur=
  while [ "$at" -lt "$COMP_CWORD" ]; do
    word=\${COMP_WORDS[at]}
    at=$((at + 1))
    if [ "$word" = = ]; then continue; fi
    if [ -n "$value" ]; then value=; continue; fi
    case $word in
      --) if [ "$operands" = paths-command ]; then command=$at; break; fi ;;
      -*) case " $values " in *" $word "*) value=$word ;; esac ;;
      *)
        count=$((count + 1))
        if [ "$operands" = command ]; then
          if [ "\${COMP_WORDS[at]}" = -- ] && [ "$at" -lt "$COMP_CWORD" ]; then at=$((at + 1)); fi
          command=$at
          break
        fi
        ;;
    esac
  done
  if [ "$command" -gt 0 ]; then
    if declare -F _command_offset >/dev/null; then
      _command_offset "$command"
    elif [ "$command" -eq "$COMP_CWORD" ]; then
      COMPREPLY=($(compgen -c -- "$cur"))
    fi
    return
  fi
  if [ -n "$value" ]; then
    _holdfast_choices
  elif [ "\${cur:0:1}" = - ]; then
    COMPREPLY=($(compgen -W "$options" -- "$cur"))
  else
    [ "$count" -eq 0 ] && COMPREPLY=($(compgen -W "$below" -- "$cur"))
    case $operands in
      folder) _holdfast_folders ;;
      words:*) COMPREPLY=($(compgen -W "\${operands#words:}" -- "$cur")) ;;
    esac
  fi
}

_holdfast_folders() {
  local IFS=$'\\n'
  compopt -o filenames 2>/dev/null
  COMPREPLY=($(compgen -d -- "$cur"))
}

# Where there is nothing else, bash completes the names of files.
complete -o bashdefault -o default -F _holdfast holdfast
`;
}

function caseOf(page: Page): string {
  const options = optionsOf(page);
  const flags = options.flatMap((option) => option.flags);
  const values = options.flatMap((option) => (option.value === undefined ? [] : option.flags));
  const names = wordsBelow(page).map(lastWord);
  const below = page.name === '' ? [...names, 'help'] : names;
  return [
    `    ${quoted(page.name)})`,
    `      options=${quoted(flags.join(' '))}`,
    `      values=${quoted(values.join(' '))}`,
    `      below=${quoted(below.join(' '))}`,
    `      operands=${quoted(operandsOf(page))} ;;`,
  ].join('\n');
}

function operandsOf({ operands }: Page): string {
  return typeof operands === 'string' ? operands : `words:${operands.join(' ')}`;
}

function choicesOf(page: Page): string[] {
  return optionsOf(page).flatMap(({ flags, choices, completes }) => {
    const pattern = flags.map((flag) => quoted(`${page.name} ${flag}`)).join(' | ');
    if (choices !== undefined) {
      const words = quoted(choices.join(' '));
      return [`    ${pattern}) COMPREPLY=($(compgen -W ${words} -- "$cur")) ;;`];
    }
    return completes === 'folder' ? [`    ${pattern}) _holdfast_folders ;;`] : [];
  });
}
