import { bytesOf } from './words.js';

// Control characters, and bytes that are not UTF-8 as words.ts escapes them.
const UNPRINTABLE = /[\p{Cc}\udc80-\udcff]/u;
const UNPRINTABLE_EACH = new RegExp(UNPRINTABLE, 'gu');

const PLAIN = /^[\w@%+:,./-][\w@%+=:,./#~-]*$/;

/**
 * A word as a person types it at the prompt of a shell: in quotes where a shell
 * would take it apart, and after `--` where it would be an option. `$'…'` writes
 * what is not text; bash, zsh and ksh read it.
 */
export function shellWord(typed: string): string {
  const operand = typed.startsWith('-') ? '-- ' : '';
  if (PLAIN.test(typed)) return `${operand}${typed}`;
  const single = typed.replaceAll("'", "'\\''");
  if (!UNPRINTABLE.test(typed)) return `${operand}'${single}'`;
  const escaped = typed.replace(/[\\']/g, '\\$&').replace(UNPRINTABLE_EACH, escapes);
  return `${operand}$'${escaped}'`;
}

function escapes(character: string): string {
  const bytes = [...Buffer.from(bytesOf(character))];
  return bytes.map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
}
