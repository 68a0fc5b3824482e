// docs/performance.svg: what a lock costs with Holdfast and with its peers. Each
// panel has a linear axis of its own that begins at zero. The width is that of a
// README on GitHub, so that the text keeps its size there.
const WIDTH = 838;
const LEFT = 290;
const RIGHT = 760;
const BAR = 26;
const MOST_MARKS = 7;
// Both color schemes, so that an <img> is enough on a light and on a dark page. A
// value is drawn with a halo: on a line of the grid it stays legible.
const STYLE = `
  .page { fill: #ffffff }
  text { fill: #1f2328 }
  .quiet { fill: #495057 }
  .value { stroke: #ffffff; stroke-width: 4px; paint-order: stroke }
  .ours { fill: #0b7285 }
  .theirs { fill: #adb5bd }
  line { stroke: #dee2e6 }
  .bold { font-weight: bold }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117 }
    text { fill: #f0f6fc }
    .quiet { fill: #9198a1 }
    .value { stroke: #0d1117 }
    .ours { fill: #3bc9db }
    .theirs { fill: #656c76 }
    line { stroke: #3d444d }
  }
`;

function escaped(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}

function text(x, y, content, attributes = '') {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${escaped(content)}</text>`;
}

/** Round numbers from zero to `most` or just above, 1, 2 or 5 times a power of ten apart. */
export function marksUpTo(most) {
  const magnitude = 10 ** Math.floor(Math.log10(most / MOST_MARKS));
  const step = [1, 2, 5, 10]
    .map((each) => each * magnitude)
    .find((each) => most / each <= MOST_MARKS);
  const count = Math.ceil(most / step);
  return Array.from({ length: count + 1 }, (_, at) => Number((at * step).toPrecision(6)));
}

function valueText(value, unit) {
  return `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ${unit}`;
}

/** `bars`: `[label, value]`; those of Holdfast have a label that says so. */
function drawPanel({ title, unit, bars }, top) {
  const marks = marksUpTo(Math.max(...bars.map(([, value]) => value)));
  const at = (value) => LEFT + (value / marks.at(-1)) * (RIGHT - LEFT);
  const [first, bottom] = [top + 34, top + 34 + bars.length * BAR];
  const out = [text(16, top + 18, title, 'class="bold" font-size="15"')];
  for (const mark of marks) {
    const x = at(mark).toFixed(1);
    out.push(
      `<line x1="${x}" x2="${x}" y1="${first}" y2="${bottom + 4}"/>`,
      text(at(mark), bottom + 19, `${mark}`, 'class="quiet" text-anchor="middle"'),
    );
  }
  out.push(text(RIGHT + 22, bottom + 19, unit, 'class="quiet"'));
  bars.forEach(([label, value], index) => {
    const y = first + index * BAR;
    const isOurs = label.startsWith('Holdfast');
    const bold = isOurs ? ' bold' : '';
    const end = 'text-anchor="end"';
    const width = Math.max(1, at(value) - LEFT).toFixed(1);
    out.push(
      text(LEFT - 10, y + 18, label, isOurs ? `class="bold" ${end}` : end),
      `<rect x="${LEFT}" y="${y + 4}" width="${width}" height="${BAR - 8}" class="${isOurs ? 'ours' : 'theirs'}"/>`,
      text(at(value) + 6, y + 18, valueText(value, unit), `class="value${bold}"`),
    );
  });
  return { svg: out.join('\n'), bottom: bottom + 36 };
}

function panels(figures) {
  const all = [
    {
      title: 'Lock and release a free lock (CPU time)',
      unit: 'µs',
      bars: [
        ['C, the same system calls', 'cycle c'],
        ['Holdfast', 'cycle plain'],
        ['fs-ext', 'cycle fs-ext'],
        ['fs-native-extensions', 'cycle fs-native-extensions'],
      ],
    },
    {
      title: 'The same where the holder leaves a trace: a record, or a folder with a time',
      unit: 'µs',
      bars: [
        ['C, the same system calls', 'cycle cJson'],
        ['Holdfast, with its record', 'cycle json'],
        ['proper-lockfile', 'cycle proper-lockfile'],
      ],
    },
    {
      title: 'From a release to the code of the waiter, on one CPU (time on the clock)',
      unit: 'µs',
      bars: [
        ['C', 'handoff one c'],
        ['Holdfast', 'handoff one plain'],
        ['Holdfast, with its record', 'handoff one json'],
        ['fs-ext, a promise, path compared', 'handoff one fs-ext-lock'],
        ['fs-native-extensions', 'handoff one fs-native-extensions'],
      ],
    },
    {
      title: 'Load the package (CPU time)',
      unit: 'ms',
      bars: [
        ['Holdfast', 'start import'],
        ['fs-ext', 'start fs-ext'],
        ['fs-native-extensions', 'start fs-native-extensions'],
        ['proper-lockfile', 'start proper-lockfile'],
      ],
    },
  ];
  return all.map(({ bars, ...panel }) => ({
    ...panel,
    bars: bars
      .map(([label, name]) => [label, figures[name]])
      .filter(([, value]) => value !== undefined),
  }));
}

export function drawChart({ figures, machine }) {
  const { subject, date, processors, software } = machine;
  const out = [];
  let top = 12;
  for (const panel of panels(figures)) {
    if (panel.bars.length === 0) continue;
    const { svg, bottom } = drawPanel(panel, top);
    out.push(svg);
    top = bottom;
  }
  const captions = [`${subject}, ${date}, ${processors}`, software.join(', ')];
  captions.forEach((caption, line) => {
    out.push(text(16, top + 14 + line * 18, caption, 'class="quiet" font-size="12"'));
  });
  const height = top + 46;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="system-ui, sans-serif" font-size="13">
<title>What a lock costs with Holdfast and with its peers</title>
<style>${STYLE}</style>
<rect class="page" width="100%" height="100%"/>
${out.join('\n')}
</svg>
`;
}
