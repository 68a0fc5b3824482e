// One picture of the figures: bars for what is compared with the peers, and
// lines for how costs grow, both on logarithmic scales, for they span decades.
const [WIDTH, HEIGHT, LEFT, TOP, BAR] = [820, 0, 330, 46, 22];
const COLOURS = ['#0b7285', '#868e96', '#c2255c', '#e67700', '#5f3dc4'];
const FONT = 'font-family="system-ui, sans-serif" font-size="12"';

function escaped(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('`', '');
}

function text(x, y, content, attributes = '') {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${escaped(content)}</text>`;
}

function scale(values, width) {
  const low = 10 ** Math.floor(Math.log10(Math.min(...values)));
  const high = 10 ** Math.ceil(Math.log10(Math.max(...values) * 1.01));
  const at = (value) => (Math.log10(value / low) / Math.log10(high / low)) * width;
  const marks = [];
  for (let mark = low; mark <= high; mark *= 10) marks.push(mark);
  return { at, marks };
}

function time(microseconds) {
  if (microseconds < 1000) return `${microseconds.toPrecision(3)} µs`;
  return `${(microseconds / 1000).toPrecision(3)} ms`;
}

/** `bars`: `[what, who, microseconds]`, each group of one `what` together. */
function drawBars(bars, top) {
  const width = WIDTH - LEFT - 90;
  const { at, marks } = scale(
    bars.map(([, , value]) => value),
    width,
  );
  const whos = [...new Set(bars.map(([, who]) => who))];
  const out = marks.map((mark) => {
    const x = LEFT + at(mark);
    return `<line x1="${x}" x2="${x}" y1="${top}" y2="${top + bars.length * BAR}" stroke="#dee2e6"/>`;
  });
  bars.forEach(([what, who, value], index) => {
    const y = top + index * BAR;
    const colour = COLOURS[whos.indexOf(who) % COLOURS.length];
    out.push(
      text(LEFT - 8, y + 15, `${what}: ${who}`, 'text-anchor="end"'),
      `<rect x="${LEFT}" y="${y + 3}" width="${Math.max(1, at(value)).toFixed(1)}" height="${BAR - 6}" fill="${colour}"/>`,
      text(LEFT + at(value) + 6, y + 15, time(value)),
    );
  });
  return { svg: out.join('\n'), height: bars.length * BAR };
}

/** `lines`: `{ name, points: [[count, microseconds], …] }`. */
function drawLines(lines, top) {
  const [width, height] = [WIDTH - LEFT - 90, 220];
  const points = lines.flatMap((line) => line.points);
  const x = scale(
    points.map(([count]) => count),
    width,
  );
  const y = scale(
    points.map(([, value]) => value),
    height,
  );
  const place = ([count, value]) => [LEFT + x.at(count), top + height - y.at(value)];
  const out = [
    ...x.marks.map((mark) =>
      text(LEFT + x.at(mark), top + height + 18, `${mark}`, 'text-anchor="middle"'),
    ),
    ...y.marks.map((mark) => {
      const at = top + height - y.at(mark);
      const line = `<line x1="${LEFT}" x2="${LEFT + width}" y1="${at}" y2="${at}" stroke="#dee2e6"/>`;
      return `${line}${text(LEFT - 8, at + 4, time(mark), 'text-anchor="end"')}`;
    }),
  ];
  lines.forEach(({ name, points: own }, index) => {
    const colour = COLOURS[index % COLOURS.length];
    const path = own
      .map((point) =>
        place(point)
          .map((each) => each.toFixed(1))
          .join(','),
      )
      .join(' ');
    out.push(
      `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`,
      text(16, top + 20 + index * 20, name, `fill="${colour}" font-size="11"`),
    );
  });
  return { svg: out.join('\n'), height: height + 30 };
}

export function drawChart({ bars, lines, caption }) {
  const head = text(
    16,
    24,
    'Holdfast and its peers, and how its costs grow',
    'font-size="15" font-weight="bold"',
  );
  const first = drawBars(bars, TOP);
  const below = TOP + first.height + 50;
  const title = text(
    16,
    below - 14,
    'Cost of one more, by how many there are',
    'font-weight="bold"',
  );
  const second = drawLines(lines, below);
  const height = below + second.height + 30 + HEIGHT;
  const foot = text(16, height - 10, caption, 'fill="#868e96" font-size="10"');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" ${FONT}>
<title>Holdfast and its peers, and how its costs grow</title>
<rect width="100%" height="100%" fill="#ffffff"/>
${[head, first.svg, title, second.svg, foot].join('\n')}
</svg>
`;
}
