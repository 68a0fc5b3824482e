// Loaded for the help and the version alone.
import { createRequire } from 'node:module';
import { type Asked, suggestion, usageError } from './exit-codes.js';
import { PAGES, pageOf } from './pages/index.js';
import { helpText } from './render/text.js';
import type { Output } from './streams.js';

const WIDTH = 80;

/** What was asked for, as the output can show it. */
export function answerTo({ what, page: name }: Asked, output: Output): string {
  if (what === 'version') {
    const { version } = createRequire(import.meta.url)('../../package.json');
    return `holdfast ${version}\n`;
  }
  const page = pageOf(name);
  if (page === undefined) {
    const names = PAGES.map((each) => each.name).filter((each) => each !== '');
    throw usageError(`no help for '${name}'; ${suggestion(name, names)}`, '');
  }
  const isTerminal = output.isTTY === true;
  const columns = isTerminal ? output.columns : undefined;
  return helpText(page, { width: columns || WIDTH, bold: isTerminal && hasStyles() });
}

/** https://no-color.org; a dumb terminal would show the codes. */
function hasStyles(): boolean {
  return !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb';
}
