import { existsSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PLACES, ROOT } from './pages.mjs';

const PAGES = fileURLToPath(new URL('../pages/', import.meta.url));
const SOURCES = new Map([...PLACES].map(([file, place]) => [join(PAGES, place), file]));
const ABSOLUTE = /^(?:[a-z][a-z+.-]*:|#|\/)/i;

/**
 * Returns where a link in `file` of the repository leads on the site; `null` if it
 * leads to a file of the repository that the site does not show.
 */
function target(file, href) {
  if (ABSOLUTE.test(href)) return href;
  const [, path = '', anchor = ''] = /^([^#]*)(#.*)?$/.exec(href) ?? [];
  const to = join(dirname(file), decodeURIComponent(path)).replace(/\/$/, '');
  const place = PLACES.get(to) ?? PLACES.get(`${to}/README.md`);
  if (place !== undefined) return `/${place}${anchor}`;
  // VitePress reports a link that leads nowhere, and fails.
  return existsSync(join(ROOT, to)) ? null : href;
}

/**
 * A plugin of markdown-it. The pages are written for GitHub and npm: their links
 * lead to files of the repository. A link to a file that is not here becomes text.
 */
export function links(markdown) {
  markdown.core.ruler.push('site-links', ({ tokens, env }) => {
    const file = SOURCES.get(env.realPath ?? env.path);
    for (const token of tokens) {
      let isText = false;
      token.children =
        token.children?.filter((child) => {
          if (child.type === 'link_close' && isText) {
            isText = false;
            return false;
          }
          if (child.type === 'image') {
            // Absolute ones would not be found while the site is built.
            const place = target(file, child.attrGet('src')).slice(1);
            child.attrSet('src', relative(dirname(PLACES.get(file)), place));
          }
          if (child.type !== 'link_open') return true;
          const leads = target(file, child.attrGet('href'));
          isText = leads === null;
          if (!isText) child.attrSet('href', leads);
          return !isText;
        }) ?? null;
    }
  });
}
