import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Fails if a link of a built page leads to a heading that is not there. */
export function checkAnchors(folder, base) {
  const idsOf = new Map(
    readdirSync(folder, { recursive: true })
      .filter((name) => name.endsWith('.html'))
      .map((name) => {
        const html = readFileSync(join(folder, name), 'utf8');
        return [
          `${base}${name}`,
          { html, ids: [...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id) },
        ];
      }),
  );
  const broken = [...idsOf].flatMap(([page, { html }]) =>
    [...html.matchAll(/ href="(\/[^"#]*|)#([^"]+)"/g)]
      .filter(([, path, id]) => {
        const to = path === '' ? page : path.replace(/\/$/, '/index.html');
        return !idsOf.get(to)?.ids.includes(decodeURIComponent(id));
      })
      .map(([, path, id]) => `${page}: ${path}#${id}`),
  );
  if (broken.length > 0) throw new Error(`links to no heading:\n${broken.join('\n')}`);
}
