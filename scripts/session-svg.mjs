// Draws terminals as one picture, one above the other.
//
// It has both color schemes, and the style sheet chooses: so it is one file, and
// an <img> is enough wherever the README is shown. Each terminal has a background
// of its own, so it is legible on any page.
const [CELL, LINE, SIZE] = [9, 22, 15];
const [MARGIN, PADDING, TITLE] = [1, 16, 32];

const STYLE = `
  .pane { fill: #f6f8fa; stroke: #d1d9e0 }
  .title { font: 13px system-ui, sans-serif; fill: #59636e }
  text { font: ${SIZE}px ui-monospace, SFMono-Regular, Menlo, Consolas, 'Liberation Mono', monospace; fill: #1f2328; white-space: pre }
  .typed { font-weight: 600 }
  .color2 { fill: #1a7f37 }
  @media (prefers-color-scheme: dark) {
    .pane { fill: #151b23; stroke: #3d444d }
    .title { fill: #9198a1 }
    text { fill: #f0f6fc }
    .color2 { fill: #3fb950 }
  }
`;

function escaped(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/**
 * One run of a row. `textLength` gives it the width of its cells in whichever
 * font there is, so nothing is cut off where the font is wider.
 */
function drawRun(text, column, y, names) {
  const inner = text.trim();
  if (inner === '') return '';
  const x = MARGIN + PADDING + (column + text.indexOf(inner)) * CELL;
  const style = names.length === 0 ? '' : ` class="${names.join(' ')}"`;
  const length = `textLength="${inner.length * CELL}" lengthAdjust="spacingAndGlyphs"`;
  return `<text x="${x}" y="${y}"${style} ${length}>${escaped(inner)}</text>`;
}

function drawRow(row, y) {
  const isTyped = row[0]?.text === '$';
  let column = 0;
  return row.map(({ text, color }) => {
    const names = [...(isTyped ? ['typed'] : []), ...(color === null ? [] : [`color${color}`])];
    const drawn = drawRun(text, column, y, names);
    column += text.length;
    return drawn;
  });
}

/** `terminals`: each `{ title, rows }`; a row is a list of `{ text, color }`. */
export function drawSession(terminals, columns) {
  const width = columns * CELL + 2 * (PADDING + MARGIN);
  const out = [];
  let top = MARGIN;
  for (const { title, rows } of terminals) {
    const height = TITLE + rows.length * LINE + PADDING;
    const box = `x="${MARGIN}" y="${top}" width="${width - 2 * MARGIN}" height="${height}"`;
    out.push(
      `<g>`,
      `<rect class="pane" ${box} rx="6"/>`,
      `<text class="title" x="${MARGIN + PADDING}" y="${top + 22}">${escaped(title)}</text>`,
      ...rows.flatMap((row, at) => drawRow(row, top + TITLE + at * LINE + SIZE + 3)),
      `</g>`,
    );
    top += height + 12;
  }
  const height = top - 12 + MARGIN;
  const size = `viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" ${size}>`,
    '<title>A lock in two terminals: held, refused, killed, free</title>',
    `<style>${STYLE}</style>`,
    ...out.filter((line) => line !== ''),
    '</svg>\n',
  ].join('\n');
}
