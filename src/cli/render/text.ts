// The help of a page, for a terminal.
import { below, PAGES } from '../pages/index.js';
import type { Block, Page, PageOption } from '../pages/page.js';
import { groupsOf, isLines, optionText, pieces, typedName } from './inline.js';

const LEAST_WIDTH = 40;
const MOST_WIDTH = 80;
/** Where the texts of options begin at most; a longer option has a line of its own. */
const MOST_LEFT = 28;

const MORE = 'holdfast COMMAND --help says more about a command, and man holdfast-COMMAND.';

export interface TextOptions {
  /** Columns. */
  width: number;
  /** Whether headings are bold. */
  bold: boolean;
}

type Row = readonly [label: string, text: string];

export function helpText(page: Page, { width, bold }: TextOptions): string {
  const columns = Math.max(LEAST_WIDTH, Math.min(width, MOST_WIDTH));
  const heading = (title: string): string => (bold ? `\x1b[1m${title}\x1b[22m` : title);
  const section = (title: string, lines: readonly string[]): string[] =>
    lines.length === 0 ? [] : [heading(`${title}:`), ...lines, ''];
  const [intro, ...details] = page.description;
  const table = (rows: readonly Row[]): string[] => tableOf(rows, columns);
  return [
    ...usageLines(page, columns, heading('Usage:')),
    '',
    ...(intro === undefined ? [] : blockLines(intro, columns)),
    '',
    ...section(page.name === '' ? 'Commands' : 'Actions', table(commandRows(page))),
    ...groupsOf(page).flatMap(({ title, options }) =>
      section(title, table(options.map(optionRow))),
    ),
    ...details.flatMap((block) => [...blockLines(block, columns), '']),
    ...section(
      'Exit status',
      table(page.exits.map(([status, text]) => [status.padStart(3), text])),
    ),
    ...section('Environment', table(page.environment ?? [])),
    ...section(
      'Examples',
      page.examples.flatMap((each) => exampleLines(each, columns)),
    ),
    ...seeAlso(page, columns, heading),
    ...(page.name === '' ? ['', ...wrap(MORE, columns)] : []),
  ]
    .join('\n')
    .replace(/\n{3,}/g, '\n\n')
    .replace(/\n*$/, '\n');
}

function usageLines({ usage }: Page, width: number, title: string): string[] {
  return usage.flatMap((form, at) => {
    const [first = '', ...rest] = wrap(`holdfast ${form}`, width - 11);
    const start = at === 0 ? title : '      ';
    return [`${start} ${first}`, ...rest.map((line) => `${' '.repeat(11)}${line}`)];
  });
}

function commandRows(page: Page): Row[] {
  const prefix = page.name === '' ? 0 : page.name.length + 1;
  const isGroup = page.name === '' || page.name === 'claim';
  if (!isGroup) return [];
  return below(page.name).map(({ name, summary }) => [name.slice(prefix), summary]);
}

/** A short option is in the first column, a long one without it below other long ones. */
function optionRow(option: PageOption): Row {
  const { flags, value } = option;
  const indent = (flags[0] ?? '').startsWith('--') ? '    ' : '';
  return [
    `${indent}${flags.join(', ')}${value === undefined ? '' : ` ${value}`}`,
    optionText(option),
  ];
}

function tableOf(rows: readonly Row[], width: number): string[] {
  const lengths = rows.map(([label]) => label.length + 4);
  const left = Math.min(
    MOST_LEFT,
    Math.floor(width / 2),
    Math.max(0, ...lengths.filter((length) => length <= MOST_LEFT)) || MOST_LEFT,
  );
  return rows.flatMap(([label, text]) => {
    const lines = wrap(text, width - left).map((line) => `${' '.repeat(left)}${line}`);
    const [first = ''] = lines;
    if (label === '') return wrap(text, width - 2).map((line) => `  ${line}`);
    if (label.length + 4 <= left) {
      return [`  ${label}${first.slice(label.length + 2)}`, ...lines.slice(1)];
    }
    return [...wrap(label, width - 2).map((line) => `  ${line}`), ...lines];
  });
}

function blockLines(block: Block, width: number): string[] {
  return isLines(block) ? block.map((line) => `  ${line}`) : wrap(block, width);
}

/** A command is typed as it is, however long. */
function exampleLines({ command, text }: Page['examples'][number], width: number): string[] {
  return [`  ${command}`, ...wrap(text, width - 6).map((line) => `      ${line}`)];
}

function seeAlso(page: Page, width: number, heading: (title: string) => string): string[] {
  if (page.seeAlso.length === 0) return [];
  const names = page.seeAlso.map((name) => (isPage(name) ? typedName({ name }) : name));
  return [heading('See also:'), ...wrap(names.join(', '), width - 2).map((line) => `  ${line}`)];
}

function isPage(name: string): boolean {
  return PAGES.some((page) => page.name === name);
}

/** Lines of at most `width` characters; a longer word has one of its own. */
export function wrap(text: string, width: number): string[] {
  const plain = pieces(text)
    .map((piece) => piece.text)
    .join('');
  const lines: string[] = [];
  let line = '';
  for (const word of plain.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (longer.length > width && line !== '') {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return [...lines, line];
}
