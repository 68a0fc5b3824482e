import { checkAnchors } from './anchors.mjs';
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
  buildEnd: ({ outDir, site }) => checkAnchors(outDir, site.base),
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
