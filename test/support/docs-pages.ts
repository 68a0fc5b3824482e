import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export function filesBelow(folder: string, ending: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true })
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return filesBelow(path, ending);
      return path.endsWith(ending) ? [path] : [];
    })
    .sort();
}

/** What people read, relative to the root. */
export const PAGES = [
  'README.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  ...filesBelow('docs', '.md'),
  'bench/README.md',
  ...filesBelow('examples', '.md'),
];

export const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');

/** A fenced block of a page. */
export interface Block {
  page: string;
  /** Of its first line of code, from 1 on. */
  line: number;
  language: string;
  /** Of the comment `<!-- setup: NAME -->` right above it. */
  setup: string | null;
  source: string;
}

export function blocksOf(page: string, markdown: string): Block[] {
  const blocks: Block[] = [];
  let open: (Block & { fence: string }) | null = null;
  let above = '';
  markdown.split('\n').forEach((text, index) => {
    const [, fence, language = ''] = /^ *(```+|~~~+)(.*)$/.exec(text) ?? [];
    if (open === null && fence !== undefined) {
      const setup = /^<!-- setup: (\S+) -->$/.exec(above)?.[1] ?? null;
      open = { page, line: index + 2, language: language.trim(), setup, source: '', fence };
    } else if (open !== null && text.trim() === open.fence) {
      const { fence: _fence, ...block } = open;
      blocks.push(block);
      open = null;
    } else if (open !== null) open.source += `${text}\n`;
    if (open === null && text.trim() !== '') above = text;
  });
  if (open !== null) throw new Error(`${page}: a block is not closed`);
  return blocks;
}
