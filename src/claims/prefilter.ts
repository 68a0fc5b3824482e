import type { Pattern } from './pattern.js';
import type { Root } from './root.js';
import type { Scope } from './scope.js';

// What tells entries apart is near their beginning.
const LONGEST_LEAD = 64;
// In characters of a regular expression, which takes time to compile.
const LARGEST_TRIE = 2000;
// Normalisation can join a letter with what comes after it.
const LEAD = /^(?:[\x20-)+->@-[\]-\x7e](?!\P{ASCII}))*/u;

/** The next characters of the leads; `null` after the last one of a lead. */
type Trie = Map<string, Trie> | null;

/**
 * Tells by its text alone whether a canonical claim can overlap with `scopes`.
 * False: certainly not.
 *
 * A lead is what a pattern has before its first wildcard. For two patterns to
 * overlap, one of the leads must begin with the other. So the text must have,
 * after a quotation mark, a whole lead of `scopes`, or the beginning of one and
 * then a wildcard or the end of the string. Escapes, and characters that need
 * normalisation, are not in the text of a canonical claim.
 */
export function prefilter(
  scopes: readonly Scope[],
  { ignoresCase }: Root,
): (text: string) => boolean {
  const leads = scopes.flatMap(({ patterns }) => patterns.map((each) => leadOf(each, ignoresCase)));
  if (leads.length === 0) return () => false;
  let expression = '';
  for (let length = LONGEST_LEAD; length > 0; length >>= 1) {
    const { trie, size } = trieOf(leads.map((each) => each.slice(0, length)));
    if (trie === null) break;
    if (size > LARGEST_TRIE) continue;
    expression = expressionOf(trie);
    break;
  }
  if (expression === '') return () => true;
  const may = new RegExp(`"${expression}`, ignoresCase ? 'i' : '');
  return (text) => may.test(text);
}

/** Empty for the root itself. */
function leadOf({ pattern }: Pattern, ignoresCase: boolean): string {
  if (pattern === './') return '';
  const [lead] = LEAD.exec(pattern) as RegExpExecArray;
  return ignoresCase ? lead.toLowerCase() : lead;
}

function trieOf(leads: readonly string[]): { trie: Trie; size: number } {
  const top: Trie = new Map();
  let size = 0;
  for (const lead of leads) {
    if (lead === '') return { trie: null, size: 0 };
    let node: Map<string, Trie> = top;
    for (let at = 0; at < lead.length; at++) {
      const character = lead[at] as string;
      const next = node.get(character);
      // A shorter lead says that already.
      if (next === null) break;
      if (at === lead.length - 1) node.set(character, null);
      else if (next !== undefined) node = next;
      else {
        size++;
        const made: Trie = new Map();
        node.set(character, made);
        node = made;
      }
    }
  }
  return { trie: top, size };
}

function expressionOf(trie: Trie): string {
  if (trie === null) return '';
  const ways = [...trie].map(([character, next]) => literally(character) + expressionOf(next));
  return `(?:${ways.join('|')}|[*?"])`;
}

function literally(character: string): string {
  return /[\w\-@]/.test(character) ? character : `\\${character}`;
}
