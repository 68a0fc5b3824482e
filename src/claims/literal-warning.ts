import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { printable } from '../base/holder.js';
import { emitHoldfastWarning } from '../base/warning.js';
import type { Wanted } from './model.js';
import { hasWildcard, unescaped } from './pattern.js';
import type { Root } from './root.js';

// What is special in the patterns of shells and of git, and literal here.
const FORMS: [form: RegExp, instead: string][] = [
  [/!\(.+\)/, 'use "except" (--except) to leave paths out'],
  [/^!/, 'use "except" (--except) to leave paths out'],
  [/\[.+\]/, 'use {a,b} for one of several, ? for any character'],
];

/**
 * Warns of names that look like patterns and are taken literally, unless there
 * is a file or folder of that name: a tree of routes is full of `[slug]`.
 */
export function warnOfLiterals({ parts }: Wanted, root: Root): void {
  for (const { patterns, except, by } of parts) {
    // A hook names files and no patterns.
    if (by === 'hook') continue;
    for (const { pattern } of [...patterns, ...except]) {
      const found = literalIn(pattern.replace(/\/$/, '').split('/'), root);
      if (found === null) continue;
      const message = `${printable(found.name)} in ${printable(pattern)} is taken literally: ${found.instead}`;
      emitHoldfastWarning('HOLDFAST_CLAIM_LITERAL', message);
    }
  }
}

function literalIn(names: string[], root: Root): { name: string; instead: string } | null {
  for (const [at, name] of names.entries()) {
    const [, instead] = FORMS.find(([form]) => form.test(name)) ?? [];
    if (instead === undefined) continue;
    const path = names.slice(0, at + 1);
    const isThere = !path.some(hasWildcard) && existsSync(join(root.path, ...path.map(unescaped)));
    if (!isThere) return { name, instead };
  }
  return null;
}
