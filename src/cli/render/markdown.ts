// docs/command.md, the reference of the command. Made by scripts/pages.mjs.
import { below, PAGES, pageOf } from '../pages/index.js';
import type { Block, Page, PageOption } from '../pages/page.js';
import { isLines, optionText, pieces, typedName } from './inline.js';

const HEAD = `# The command

<!-- Made of src/cli/pages by: npm run pages -->

What \`holdfast COMMAND --help\` and \`man holdfast-COMMAND\` say, on one page. All commands have \`-h\`, \`--help\` and \`-V\`, \`--version\`.

A usage error is exit status 64 with one line on standard error that says what is wrong and where to look; a misspelt command, action or option is answered with the one that was probably meant. \`holdfast\` and \`holdfast claim\` alone print their list on standard output, and exit with 64 as well, since a script may have lost the word.

**JSON.** What \`--json\` prints is described by a JSON Schema in [\`schemas/\`](../schemas), one for each command. Within a major version fields are only added, and what a field means stays; so ignore those that you do not know, also new values of \`state\`, \`event\`, \`verdict\`, \`kind\` and \`source\`. The text that commands print without \`--json\` is for people, and may change.

**Terminals.** Colour and bold only on a terminal, and never with \`NO_COLOR\`. Tables are cut to the width of the terminal, with \`…\` where something is left out. In a pipe only long command lines are cut.
`;

export function reference(): string {
  return `${[HEAD, overview(), ...PAGES.filter(({ name }) => name !== '').map(section)].join('\n')}`;
}

function overview(): string {
  const rows = below('').map((page) => [linkTo(page), text(page.summary)]);
  return [...table(['command', ''], rows), '', ...rest(pageOf('') as Page)].join('\n');
}

function section(page: Page): string {
  const lines = [
    `## ${typedName(page)}`,
    '',
    '```',
    ...page.usage.map((form) => `holdfast ${form}`),
  ];
  lines.push('```', '', ...page.description.flatMap(blockOf));
  if (page.name === 'claim') {
    const rows = below('claim').map((each) => [linkTo(each), text(each.summary)]);
    lines.push(...table(['action', ''], rows), '');
  }
  const rows = page.options.flatMap(({ options }) => options.map(optionRow));
  if (rows.length > 0) lines.push(...table(['option', ''], rows), '');
  return [...lines, ...rest(page)].join('\n');
}

/** What comes after the options. */
function rest(page: Page): string[] {
  const exits = page.exits.map(([status, meaning]) => [`\`${status}\``, text(meaning)]);
  const variables = (page.environment ?? []).map(([name, meaning]) => [
    name
      .split(', ')
      .filter((each) => each !== '')
      .map((each) => `\`${each}\``)
      .join(', '),
    text(meaning),
  ]);
  const schema =
    page.schema === undefined
      ? []
      : [`JSON: [\`schemas/${page.schema}\`](../schemas/${page.schema}).`, ''];
  return [
    ...table(['exit status', ''], exits),
    '',
    ...(variables.length === 0 ? [] : [...table(['variable', ''], variables), '']),
    ...schema,
    ...page.examples.flatMap(({ command, text: about }) => [
      text(about),
      '',
      // A line of a crontab is no shell.
      /^[*\d]+[ /]/.test(command) ? '```' : '```sh',
      command,
      '```',
      '',
    ]),
    ...seeAlso(page),
  ];
}

function optionRow(option: PageOption): string[] {
  const { flags, value } = option;
  const names = flags.map((flag) => `\`${flag}\``).join(', ');
  return [`${names}${value === undefined ? '' : ` \`${value}\``}`, text(optionText(option))];
}

function seeAlso({ seeAlso: names }: Page): string[] {
  if (names.length === 0) return [];
  const links = names.map((name) => {
    const page = pageOf(name);
    return page === undefined ? name : linkTo(page);
  });
  return [`See also: ${links.join(', ')}.`, ''];
}

function linkTo(page: Page): string {
  return `[\`${typedName(page)}\`](#${typedName(page).replaceAll(' ', '-')})`;
}

function table(head: readonly string[], rows: readonly string[][]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)];
}

function blockOf(block: Block): string[] {
  return isLines(block) ? ['```', ...block, '```', ''] : [text(block), ''];
}

function text(source: string): string {
  return pieces(source)
    .map((piece) =>
      piece.isTyped
        ? `\`${piece.text.replaceAll('|', '\\|')}\``
        : piece.text.replace(/[\\*_<>[\]{}|]/g, '\\$&'),
    )
    .join('');
}
