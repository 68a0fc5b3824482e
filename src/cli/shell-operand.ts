import { promptWord } from '../base/shell-word.js';
import { bytesOf } from './words.js';

/**
 * An operand as a person types it at the prompt of a shell: after `--` if it would
 * be an option. Bytes that are not UTF-8 are escaped as in words.ts.
 */
export function shellOperand(typed: string): string {
  return `${typed.startsWith('-') ? '-- ' : ''}${promptWord(typed, bytesOf)}`;
}
