import { argumentError, notJson } from '../base/argument-errors.js';
import { refuseWhatJsonDrops } from '../holders/owner-record.js';

/** The longest message and the longest answer, as JSON in UTF-8. */
export const LONGEST_MESSAGE = 2 ** 20;
/** The same, with the rest of its line. */
const LONGEST_LINE = LONGEST_MESSAGE + 64;
const LONGEST_TEXT = 4096;
const NEWLINE = 0x0a;

/** The line from the sender to the first instance: `{"message":…}`. */
export function messageLine(message: unknown, name: string): string {
  return `{"message":${toJson(message, name)}}\n`;
}

/** The line back: `{"answer":…}`, or `{}` for `undefined`. */
export function answerLine(answer: unknown): string {
  if (answer === undefined) return '{}\n';
  return `{"answer":${toJson(answer, 'the answer of onMessage')}}\n`;
}

/** The same for an error: `{"error":{"name":…,"message":…,"code":…}}`. */
export function errorLine(thrown: unknown): string {
  const { name, message, code } = describe(thrown);
  return `${JSON.stringify({ error: { name, message, code } })}\n`;
}

function describe(thrown: unknown): { name: string; message: string; code: unknown } {
  try {
    const { name, message, code } = (thrown ?? {}) as Partial<NodeJS.ErrnoException>;
    const isNamed = thrown instanceof Error || typeof message === 'string';
    return {
      name: isNamed ? shorten(name) : 'Error',
      message: shorten(isNamed ? message : thrown),
      code: typeof code === 'number' || code === undefined ? code : shorten(code),
    };
  } catch {
    // It has throwing getters, or no text.
    return { name: 'Error', message: 'an error that cannot be read', code: undefined };
  }
}

const shorten = (value: unknown): string => String(value).slice(0, LONGEST_TEXT);

function toJson(value: unknown, name: string): string {
  if (value === undefined || typeof value === 'function' || typeof value === 'symbol') {
    throw argumentError('ERR_INVALID_ARG_TYPE', name, 'a JSON value', value);
  }
  let text: string | undefined;
  try {
    text = JSON.stringify(value, refuseWhatJsonDrops);
  } catch (error) {
    throw notJson(name, error);
  }
  // The result of a toJSON method.
  if (text === undefined) throw argumentError('ERR_INVALID_ARG_TYPE', name, 'a JSON value', value);
  if (Buffer.byteLength(text) > LONGEST_MESSAGE) {
    const rule = `at most ${LONGEST_MESSAGE} bytes as JSON`;
    throw argumentError('ERR_OUT_OF_RANGE', name, rule, value);
  }
  return text;
}

/** The object in a line; `null` if it has none. */
export function parseLine(line: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(line);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/** The error in an {@link errorLine}. */
export function toError(told: unknown): Error {
  const { name, message, code } = (told ?? {}) as Record<string, unknown>;
  const error = new Error(shorten(message));
  Object.defineProperty(error, 'name', { value: shorten(name), configurable: true });
  return code === undefined ? error : Object.assign(error, { code });
}

/** Collects what a socket receives, up to the first newline. */
export class LineReader {
  readonly #chunks: Buffer[] = [];
  #length = 0;

  /** The line once it is complete; `undefined`: not yet; `null`: it is too long. */
  add(chunk: Buffer): string | null | undefined {
    const end = chunk.indexOf(NEWLINE);
    const part = end < 0 ? chunk : chunk.subarray(0, end);
    this.#length += part.length;
    if (this.#length > LONGEST_LINE) return null;
    this.#chunks.push(part);
    return end < 0 ? undefined : Buffer.concat(this.#chunks, this.#length).toString();
  }
}
