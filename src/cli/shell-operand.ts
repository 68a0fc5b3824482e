import { shellWord } from '../base/shell-word.js';
import { bytesOf } from './words.js';

// Control characters, and bytes that are not UTF-8 as words.ts escapes them.
const UNPRINTABLE = /[\p{Cc}\udc80-\udcff]/u;
const UNPRINTABLE_EACH = new RegExp(UNPRINTABLE, 'gu');

/**
 * An operand as a person types it at the prompt of a shell: after `--` if it would
 * be an option. `$'…'` writes what is not text; bash, zsh and ksh read it.
 */
export function shellOperand(typed: string): string {
  const before = typed.startsWith('-') ? '-- ' : '';
  if (!UNPRINTABLE.test(typed)) return `${before}${shellWord(typed)}`;
  const escaped = typed.replace(/[\\']/g, '\\$&').replace(UNPRINTABLE_EACH, escapes);
  return `${before}$'${escaped}'`;
}

function escapes(character: string): string {
  const bytes = [...Buffer.from(bytesOf(character))];
  return bytes.map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
}
