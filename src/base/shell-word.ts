import { UNPRINTABLE } from './holder.js';

const PLAIN = /^[\w@%+:,./-][\w@%+=:,./#~-]*$/;

/** A word for the command line of a shell, in quotes if the shell would take it apart. */
export function shellWord(text: string): string {
  return PLAIN.test(text) ? text : singleQuoted(text);
}

export function singleQuoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * A word that is shown and then typed at the prompt of a shell. `$'…'` writes what
 * cannot be shown; bash, zsh and ksh read it. `bytesOf`: of such a character.
 */
export function promptWord(
  text: string,
  bytesOf: (character: string) => string | Buffer = (character) => character,
): string {
  if (PLAIN.test(text)) return text;
  const unprintable = new RegExp(`[${UNPRINTABLE}\\ud800-\\udfff]`, 'gu');
  if (text.search(unprintable) < 0) return singleQuoted(text);
  // Three octal digits: after \x, some shells read every hexadecimal digit that follows.
  const escapes = (character: string): string =>
    [...Buffer.from(bytesOf(character) as string)]
      .map((byte) => `\\${byte.toString(8).padStart(3, '0')}`)
      .join('');
  return `$'${text.replace(/[\\']/g, '\\$&').replace(unprintable, escapes)}'`;
}
