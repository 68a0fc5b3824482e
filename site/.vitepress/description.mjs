import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What search engines show of it. */
const LONGEST = 200;

/** The first paragraph of a page as plain text, cut after a sentence or a word. */
export function descriptionOf(markdown) {
  const text = markdown
    .replaceAll(/^(```|~~~)[\s\S]*?^\1/gm, '')
    .replaceAll(/<!--[\s\S]*?-->|<[^>\n]*>/g, '')
    .split(/\n\s*\n/)
    .filter((paragraph) => !paragraph.startsWith('    '))
    .map(plain)
    .find((paragraph) => paragraph !== '' && !/^(?:[#|>]|- )/.test(paragraph));
  return text === undefined ? '' : cut(text);
}

function plain(paragraph) {
  return (
    paragraph
      .replaceAll(/!\[[^\]]*\]\([^)]*\)/g, '')
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .replaceAll(/[*_]{2}|`/g, '')
      // VitePress puts it into an attribute as it is.
      .replaceAll(/"([^"]*)"/g, '“$1”')
      .replaceAll(/\s+/g, ' ')
      .trim()
      .replace(/:$/, '.')
  );
}

function cut(text) {
  if (text.length <= LONGEST) return text;
  const [sentences] = new RegExp(`^.{40,${LONGEST}}[.!?](?= )`).exec(text) ?? [];
  return sentences ?? `${text.slice(0, text.lastIndexOf(' ', LONGEST - 1))}…`;
}

/** Fails if a built page has no description of its own, or no icon. */
export function checkHeads(folder) {
  const pages = new Map();
  for (const name of readdirSync(folder, { recursive: true })) {
    if (!name.endsWith('.html') || name === '404.html') continue;
    const html = readFileSync(join(folder, name), 'utf8');
    const [, description = ''] = /<meta name="description" content="([^"]+)"/.exec(html) ?? [];
    const other = pages.get(description);
    if (description === '') throw new Error(`${name} has no description`);
    if (other !== undefined) throw new Error(`${name} has the description of ${other}`);
    if (!/<link rel="icon" [^>]*favicon\.svg"/.test(html)) throw new Error(`${name} has no icon`);
    pages.set(description, name);
  }
}
