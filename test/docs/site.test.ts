import { expect, test } from 'vitest';
// @ts-expect-error It belongs to the site, which has no types.
import { descriptionOf } from '../../site/.vitepress/description.mjs';
import { filesBelow, read } from '../support/docs-pages.js';

const PAGES = ['README.md', ...filesBelow('docs', '.md'), ...filesBelow('examples', 'README.md')];

test('each page of the site has a description of its own, in plain text', () => {
  const descriptions = PAGES.map((page): string => descriptionOf(read(page)));
  expect(descriptions.length).toBeGreaterThan(30);
  expect(new Set(descriptions).size).toBe(PAGES.length);
  for (const description of descriptions) {
    expect(description).toMatch(/^\S[^\n]{30,199}[.!?…]$/);
    expect(description).not.toMatch(/[`<>"]|\]\(|^#/);
  }
});

test.each([
  ['# T\n\nOne [link](x.md), `code` and **"bold"**:\n\nTwo.', 'One link, code and “bold”.'],
  ['# T\n\n    indented\n\nText.', 'Text.'],
  ['# T\n\n```js\nconst a = 1;\n\nb();\n```\n\n| a |\n|---|\n\n- b\n\nText.', 'Text.'],
  ['# T\n\n<!-- Made of x -->\n\n<img src="x">\n\n![x](x.svg)\n\nText.', 'Text.'],
  [
    `# T\n\n${'A sentence of some forty characters, so. '.repeat(9)}`,
    `${'A sentence of some forty characters, so. '.repeat(4)}`.trim(),
  ],
  [`# T\n\n${'word '.repeat(90)}`, `${'word '.repeat(39)}word…`],
  ['# T', ''],
])('the first paragraph is found in %j', (markdown, description) => {
  expect(descriptionOf(markdown)).toBe(description);
});
