// What the three shells complete, taken from the pages.
import { singleQuoted } from '../../base/shell-word.js';
import { below, PAGES } from '../pages/index.js';
import { HELP_OPTIONS, type Page, type PageOption } from '../pages/page.js';
import { pieces } from './inline.js';

export function optionsOf({ options }: Page): PageOption[] {
  return [...options.flatMap((group) => group.options), ...HELP_OPTIONS];
}

/** The subcommands, or the actions of `claim`; `status` of `elect` stands beside its operands. */
export function wordsBelow(page: Page): readonly Page[] {
  return below(page.name);
}

/** Pages with names, each before those below it. */
export const NAMED = PAGES.filter(({ name }) => name !== '');

const LONGEST = 60;

/** The first part of a text: shells show it in one line. */
export function brief(text: string): string {
  const plain = pieces(text)
    .map((piece) => piece.text)
    .join('');
  const first = plain.split(/[;:(]|\. /)[0]?.trim() || plain;
  return first.length > LONGEST ? `${first.slice(0, LONGEST - 1)}…` : first;
}

/** A word for a POSIX shell, and for zsh. */
export const quoted = singleQuoted;

export function lastWord({ name }: Page): string {
  return name.split(' ').at(-1) ?? '';
}

/** A letter of its own, or a long name. */
export function isShort(flag: string): boolean {
  return !flag.startsWith('--');
}
