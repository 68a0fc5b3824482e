import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from 'vitest';
import { PAGES } from '../../src/cli/pages/index.js';
import { manualName } from '../../src/cli/render/inline.js';
import { manPages } from '../../src/cli/render/man.js';
import { ROOT } from '../support/docs-pages.js';
import { needs } from '../support/tools.js';

const MANUAL = join(ROOT, 'dist', 'man');
const FILES = PAGES.map((page) => `${manualName(page)}.1`).sort();
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));

function run(command: string, ...args: string[]): string {
  const { stdout, stderr, status } = spawnSync(command, args, {
    encoding: 'utf8',
    env: { ...process.env, MANWIDTH: '80', LC_ALL: 'C.UTF-8' },
    timeout: 30_000,
  });
  expect({ command, args, status, stderr }).toEqual({ command, args, status: 0, stderr: '' });
  return stdout;
}

/** Bold is a letter twice in one place, with a backspace in between. */
function withoutOverstrikes(text: string): string {
  const parts = text.split('\b');
  return parts.map((part, at) => (at < parts.length - 1 ? part.slice(0, -1) : part)).join('');
}

test('the package has a manual page for each page of the help', () => {
  expect(readdirSync(MANUAL).sort()).toEqual(FILES);
  expect(manifest.man).toEqual(FILES.map((file) => `./dist/man/${file}`));
  const { version } = manifest;
  for (const [name, text] of manPages({ version, date: '2026-01-01' })) {
    const built = readFileSync(join(MANUAL, name), 'utf8');
    expect(built.replace(/ \d{4}-\d\d-\d\d "/, ' 2026-01-01 "'), name).toBe(text);
  }
});

describe('the manual', () => {
  needs('mandoc')('has nothing that mandoc would say', () => {
    const said = run('mandoc', '-Tlint', ...FILES.map((file) => join(MANUAL, file)));
    expect(said).toBe('');
  });

  needs('man')('has nothing that groff warns of, and says what the help says', () => {
    const files = FILES.map((file) => join(MANUAL, file));
    const text = run('man', '--warnings', '-Tutf8', '--nj', '--nh', '-l', ...files);
    const plain = (some: string): string => some.replace(/\s+/g, ' ');
    const shown = plain(stripVTControlCharacters(withoutOverstrikes(text)));
    for (const page of PAGES) {
      for (const { command } of page.examples) expect(shown).toContain(plain(command));
      for (const { options } of page.options) {
        for (const { flags, value } of options) {
          expect(shown).toContain(`${flags.join(', ')}${value === undefined ? '' : ` ${value}`}`);
        }
      }
      for (const block of page.description) {
        const words = typeof block === 'string' ? block.replaceAll('`', '') : block.join(' ');
        expect(shown).toContain(plain(words));
      }
    }
  });
});
