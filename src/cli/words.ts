import { isUtf8 } from 'node:buffer';
import { readFileSync } from 'node:fs';
import type { FilePath } from '../base/paths.js';
import { EXIT, Exit } from './exit-codes.js';

// The words of a command line are bytes, but Node decodes them: it replaces each
// byte that is not UTF-8 by the replacement character. If a word has that
// character, read the bytes and escape each one that is not UTF-8 as a lone
// surrogate, U+DC80 to U+DCFF, as Python does (PEP 383). So words can be parsed,
// cut and joined as strings, and become the same bytes again in the end.

const REPLACED = '\ufffd';
const ESCAPED = /[\udc80-\udcff]/;
const ESCAPE = 0xdc00;

/** The words after `holdfast`, escaped. `given` are the words as Node decodes them. */
export function commandLine(given: readonly string[]): string[] {
  if (process.platform !== 'linux' || !given.some((word) => word.includes(REPLACED))) {
    return [...given];
  }
  // It needs no bound: it is this process's own, and exec limits its size.
  const all = splitAtNul(readFileSync('/proc/self/cmdline'));
  const own = given.length === 0 ? [] : all.slice(-given.length);
  // A process that sets its title overwrites its words.
  if (own.length !== given.length || own.some((word, at) => word.toString() !== given[at])) {
    throw new Exit(EXIT.usage, 'an argument is not UTF-8, and its bytes cannot be read back');
  }
  return own.map(decode);
}

/** A variable of the environment, escaped in the same way. */
export function variable(name: string): string {
  const given = process.env[name] ?? '';
  if (process.platform !== 'linux' || !given.includes(REPLACED)) return given;
  const prefix = Buffer.from(`${name}=`);
  for (const each of splitAtNul(readFileSync('/proc/self/environ'))) {
    if (each.indexOf(prefix) === 0) return decode(each.subarray(prefix.length));
  }
  return given;
}

/** Whether the word is not UTF-8. */
export function isEscaped(word: string): boolean {
  return ESCAPED.test(word);
}

/** The bytes of a word, for the system: a file name, an argument. */
export function bytesOf(word: string): FilePath {
  if (!isEscaped(word)) return word;
  const parts = word.split(/([\udc80-\udcff])/).map((part) => {
    return ESCAPED.test(part) ? Buffer.from([part.charCodeAt(0) - ESCAPE]) : Buffer.from(part);
  });
  return Buffer.concat(parts);
}

/** The word as text: what is not UTF-8 becomes U+FFFD. */
export function wellFormed(word: string): string {
  return Buffer.from(word).toString();
}

function splitAtNul(bytes: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  for (let from = 0; from < bytes.length; ) {
    const end = bytes.indexOf(0, from);
    const to = end < 0 ? bytes.length : end;
    parts.push(bytes.subarray(from, to));
    from = to + 1;
  }
  return parts;
}

/** Decodes bytes to a word; escapes what is not UTF-8. */
export function decode(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString();
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const length = [1, 2, 3, 4].find((each) => {
      const end = at + each;
      return end <= bytes.length && isUtf8(bytes.subarray(at, end));
    });
    text +=
      length === undefined
        ? String.fromCharCode(ESCAPE + (bytes[at] as number))
        : bytes.toString('utf8', at, at + length);
    at += length ?? 1;
  }
  return text;
}
