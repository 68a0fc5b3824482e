import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkAnchors } from './anchors.mjs';
import { checkHeads, descriptionOf } from './description.mjs';
import { links } from './links.mjs';
import { copyPages, sidebar } from './pages.mjs';

copyPages();

/** The anchor of a heading, as on GitHub. */
const slugify = (heading) =>
  heading
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\p{M}_ -]/gu, '')
    .replaceAll(' ', '-');

export default {
  title: 'Holdfast',
  description: 'File locks for Node that the kernel releases when your program dies',
  lang: 'en',
  srcDir: 'pages',
  outDir: 'dist',
  cacheDir: 'node_modules/.vitepress',
  metaChunk: true,
  markdown: { anchor: { slugify }, config: (markdown) => markdown.use(links) },
  transformPageData: ({ relativePath }, { siteConfig }) => ({
    description: descriptionOf(readFileSync(join(siteConfig.srcDir, relativePath), 'utf8')),
  }),
  transformHead: ({ siteData }) => [
    ['link', { rel: 'icon', type: 'image/svg+xml', href: `${siteData.base}favicon.svg` }],
  ],
  buildEnd: ({ outDir, site }) => {
    checkAnchors(outDir, site.base);
    checkHeads(outDir);
  },
  themeConfig: {
    sidebar,
    nav: [
      { text: 'Guides', link: '/one-instance' },
      { text: 'Semantics', link: '/semantics' },
      { text: 'Reference', link: '/api' },
      { text: 'Migrating', link: '/migrating' },
    ],
    outline: [2, 3],
    search: { provider: 'local' },
  },
};
