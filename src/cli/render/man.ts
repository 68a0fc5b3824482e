// The manual page of a page, for man(7). Made by scripts/pages.mjs.
import { below, PAGES } from '../pages/index.js';
import type { Block, Page, PageOption } from '../pages/page.js';
import { groupsOf, isLines, manualName, optionText, pieces, typedName } from './inline.js';

const LONGEST_LINE = 72;

export interface ManOptions {
  version: string;
  /** `2026-02-25`. */
  date: string;
}

/** All pages, by the names of their files: `holdfast-run.1`. */
export function manPages(options: ManOptions): [file: string, text: string][] {
  return PAGES.map((page) => [`${manualName(page)}.1`, manPage(page, options)]);
}

export function manPage(page: Page, { version, date }: ManOptions): string {
  const name = manualName(page);
  const groups = groupsOf(page);
  const lines = [
    `.TH ${name.toUpperCase()} 1 ${date} "holdfast ${version}" "Holdfast"`,
    '.SH NAME',
    `${literal(name)} \\- ${literal(page.summary)}`,
    '.SH SYNOPSIS',
    ...page.usage.flatMap((form, at) => [...(at === 0 ? [] : ['.br']), synopsis(page, form)]),
    '.SH DESCRIPTION',
    ...page.description.flatMap((block, at) => [...(at === 0 ? [] : ['.PP']), ...blockOf(block)]),
    ...commands(page),
    '.SH OPTIONS',
    ...groups.flatMap(({ title, options }) => [
      ...(groups.length > 1 ? [`.SS ${title}`] : []),
      ...options.flatMap(optionOf),
    ]),
    '.SH EXIT STATUS',
    ...page.exits.flatMap(([status, text]) => tagged(`\\fB${status}\\fR`, text)),
    ...environment(page),
    '.SH EXAMPLES',
    ...page.examples.flatMap(({ command, text }, at) => [
      ...(at === 0 ? [] : ['.PP']),
      ...textOf(text),
      '.PP',
      '.RS 4',
      '.EX',
      guarded(literal(command)),
      '.EE',
      '.RE',
    ]),
    '.SH SEE ALSO',
    ...textOf(seeAlso(page).join(', ')),
  ];
  return `${lines.join('\n')}\n`;
}

/** What is typed is bold, what stands for something else italic. */
function synopsis({ name }: Page, form: string): string {
  const typed = typedName({ name });
  const full = `holdfast ${form}`;
  const rest = full.startsWith(typed) ? full.slice(typed.length) : ` ${form}`;
  const placeholders = literal(rest).replace(/\b[A-Z][A-Z]+\b/g, '\\fI$&\\fR');
  return `\\fB${literal(full.startsWith(typed) ? typed : 'holdfast')}\\fR${placeholders}`;
}

function commands(page: Page): string[] {
  if (page.name !== '' && page.name !== 'claim') return [];
  const rows = below(page.name).flatMap((each) =>
    tagged(`\\fB${literal(manualName(each))}\\fR(1)`, each.summary),
  );
  return [`.SH ${page.name === '' ? 'COMMANDS' : 'ACTIONS'}`, ...rows];
}

function optionOf(option: PageOption): string[] {
  const { flags, value } = option;
  const names = flags.map((flag) => `\\fB${literal(flag)}\\fR`).join(', ');
  return tagged(
    `${names}${value === undefined ? '' : ` \\fI${literal(value)}\\fR`}`,
    optionText(option),
  );
}

function environment({ environment = [] }: Page): string[] {
  if (environment.length === 0) return [];
  const rows = environment.flatMap(([name, text]) =>
    name === '' ? ['.PP', ...textOf(text)] : tagged(`\\fB${literal(name)}\\fR`, text),
  );
  return ['.SH ENVIRONMENT', ...rows];
}

/** The parent first; others as they are. */
function seeAlso(page: Page): string[] {
  const parent = page.name.includes(' ') ? page.name.replace(/ [^ ]*$/, '') : '';
  const all = page.name === '' ? page.seeAlso : [parent, ...page.seeAlso];
  const names = all.map((name) => {
    const other = PAGES.find((each) => each.name === name);
    return other === undefined ? name : `${manualName(other)}(1)`;
  });
  return [...new Set(names)];
}

function tagged(tag: string, text: string): string[] {
  return ['.TP', guarded(tag), ...textOf(text)];
}

function blockOf(block: Block): string[] {
  if (!isLines(block)) return textOf(block);
  return ['.RS 4', '.EX', ...block.map((line) => guarded(literal(line))), '.EE', '.RE'];
}

/** In lines that are short enough for those who read the source. */
function textOf(text: string): string[] {
  const words = pieces(text)
    .map((piece) => (piece.isTyped ? `\\fB${literal(piece.text)}\\fR` : literal(piece.text)))
    .join('')
    .split(' ');
  const lines: string[] = [];
  let line = '';
  for (const word of words) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (longer.length > LONGEST_LINE && line !== '') {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return [...lines, line].map(guarded);
}

/** Else it would be a request. */
function guarded(line: string): string {
  return /^[.']/.test(line) ? `\\&${line}` : line;
}

/** Quotes and hyphens that are typed stay what they are. */
function literal(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll("'", '\\(aq')
    .replaceAll('^', '\\(ha')
    .replaceAll('~', '\\(ti')
    .replace(
      /[^\0-\x7f]/gu,
      (each) => `\\[u${(each.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}]`,
    );
}
