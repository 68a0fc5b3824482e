import type { Block, OptionGroup, Page, PageOption } from '../pages/page.js';
import { HELP_OPTIONS } from '../pages/page.js';

/** A text and the pieces of it that are quoted with backticks. */
export function pieces(text: string): { text: string; isTyped: boolean }[] {
  return text
    .split('`')
    .map((piece, at) => ({ text: piece, isTyped: at % 2 === 1 }))
    .filter((piece) => piece.text !== '');
}

export function isLines(block: Block): block is readonly string[] {
  return typeof block !== 'string';
}

/** With --help and --version, which all pages have. */
export function groupsOf({ options }: Page): readonly OptionGroup[] {
  const [first, ...others] = options;
  if (first !== undefined && others.length > 0) {
    return [...options, { title: 'Help', options: HELP_OPTIONS }];
  }
  return [{ title: 'Options', options: [...(first?.options ?? []), ...HELP_OPTIONS] }];
}

/** `holdfast-claim-add`, as the manual calls it. */
export function manualName({ name }: { name: string }): string {
  return `holdfast${name === '' ? '' : ' '}${name}`.replaceAll(' ', '-');
}

export function typedName({ name }: { name: string }): string {
  return `holdfast${name === '' ? '' : ' '}${name}`;
}

export function optionText({ text, repeatable }: PageOption): string {
  return repeatable === true ? `${text}; repeatable` : text;
}
