import { oneLine } from '../base/holder.js';

/** Somebody's data may be in the file, so it stays. `fault`: `null` if it is not UTF-8. */
export function jsonError(path: string, fault: Fault | null, cause: unknown): SyntaxError {
  const where = fault === null ? 'it is not UTF-8' : placeOf(fault);
  const message = `${path} is not JSON (${where}): repair or remove the file; it was left as it is`;
  const error = new SyntaxError(oneLine(message), cause === undefined ? undefined : { cause });
  const position = fault?.position ?? null;
  return Object.assign(error, { code: 'ERR_INVALID_JSON', path, position });
}

interface Fault {
  text: string;
  /** From {@link positionOfFault}; `null`: not searched for. */
  position: number | null;
}

// In characters. The search takes several times as long as JSON.parse, and holds
// up everything else in the process: for 40 MB, ten seconds.
const LONGEST_SEARCHED = 2 ** 20;

export function faultIn(text: string): Fault {
  return { text, position: text.length > LONGEST_SEARCHED ? null : positionOfFault(text) };
}

function placeOf({ text, position }: Fault): string {
  if (position === null) return 'it is too long to look for the place';
  if (text.trim() === '') return 'it is empty';
  const lines = text.slice(0, position).split('\n');
  const place = `line ${lines.length}, column ${(lines.at(-1) ?? '').length + 1}`;
  return position === text.length ? `it ends too early, at ${place}` : place;
}

const SPACE = /[ \t\r\n]*/y;
const SCALAR =
  /"[ !#-[\]-\uffff]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[ !#-[\]-\uffff]*)*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

type State = 'value' | 'first value' | 'key' | 'first key' | 'colon' | 'after';

/**
 * The start of the first token that cannot be right; the length of `text` where
 * something is missing at its end. Only some messages of JSON.parse give it.
 */
export function positionOfFault(text: string): number {
  const open: ('{' | '[')[] = [];
  let state: State = 'value';
  let at = 0;
  for (;;) {
    SPACE.lastIndex = at;
    at += SPACE.exec(text)?.[0].length ?? 0;
    const char = text[at];
    if (char === undefined || (state === 'after' && open.length === 0)) return at;
    const next: State | null = step(char, state, open);
    if (next !== null) {
      at++;
      state = next;
      continue;
    }
    const isKey: boolean = state === 'key' || state === 'first key';
    const takesValue = state === 'value' || state === 'first value';
    SCALAR.lastIndex = at;
    const scalar = SCALAR.exec(text)?.[0];
    if (scalar === undefined || !(isKey ? char === '"' : takesValue)) return at;
    at += scalar.length;
    state = isKey ? 'colon' : 'after';
  }
}

/** The state after a bracket, a comma or a colon; `null`: it is none of these, or wrong here. */
function step(char: string, state: State, open: ('{' | '[')[]): State | null {
  const inside = open.at(-1);
  const takesValue = state === 'value' || state === 'first value';
  if ((char === '{' || char === '[') && takesValue) {
    open.push(char);
    return char === '{' ? 'first key' : 'first value';
  }
  if (char === ':' && state === 'colon') return 'value';
  if (char === ',' && state === 'after') return inside === '{' ? 'key' : 'value';
  const closes =
    (char === '}' && inside === '{' && (state === 'after' || state === 'first key')) ||
    (char === ']' && inside === '[' && (state === 'after' || state === 'first value'));
  if (!closes) return null;
  open.pop();
  return 'after';
}
