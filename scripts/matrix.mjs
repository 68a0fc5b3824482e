// Runs the package on every runtime and processor available here, and prints a
// table. What it needs comes from npm, into node_modules/.cache, and, for other
// processors and musl, from the distribution. What the parts printed is kept in
// node_modules/.cache/matrix.
//   npm run test:matrix
//   npm run test:matrix -- --only node24 --only arm64
//   npm run test:matrix -- --list
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, stripVTControlCharacters } from 'node:util';
import { ROWS } from './matrix/rows.mjs';
import { cache, lacking, runtimeOf } from './matrix/runtime.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const VITEST = join(root, 'node_modules', 'vitest', 'vitest.mjs');

const PARTS = {
  demo: { args: () => [join(root, 'examples', 'demo.mjs')], minutes: 3 },
  smoke: { args: () => [join(root, 'test', 'smoke.mjs')], minutes: 5 },
  inspector: { args: () => [join(root, 'scripts', 'matrix', 'inspector.mjs')], minutes: 5 },
  suite: {
    args: ({ suite = [] }) => [VITEST, 'run', '--reporter=default', ...suite],
    minutes: 90,
  },
};

/** The most telling line of what a part has printed. */
function outcome(part, { status, signal, stdout, stderr }) {
  const lines = stripVTControlCharacters(stdout).trim().split('\n');
  const errors = stripVTControlCharacters(stderr).split('\n');
  const ok = status === 0;
  if (part === 'suite') {
    const tests = lines.find((line) => /^\s*Tests\s/.test(line))?.trim();
    const failed = new Set(
      errors.filter((line) => /^\s*FAIL\s/.test(line)).map((line) => line.trim()),
    );
    return { ok, text: [tests ?? `ended by ${signal ?? status}`, ...failed].join('\n') };
  }
  if (ok) return { ok, text: part === 'demo' ? 'passed' : lines.at(-1) };
  const after = lines.findLast((line) => line.startsWith('ok: ')) ?? 'nothing passed';
  const error = errors.find((line) => /error/i.test(line));
  return { ok, text: `ended by ${signal ?? status} after "${after}": ${error?.trim() ?? ''}` };
}

function runRow(row) {
  const missing = lacking(row);
  if (missing.length > 0) return [{ part: '', skipped: `not here: ${missing.join(', ')}` }];
  const scratch = mkdtempSync(join(tmpdir(), 'holdfast-matrix-'));
  try {
    const { command, before, env } = runtimeOf(row, scratch);
    return row.parts.map((part) => {
      const { args, minutes } = PARTS[part];
      const started = Date.now();
      const result = spawnSync(command, [...before, ...args(row)], {
        cwd: root,
        env,
        encoding: 'utf8',
        timeout: minutes * 60_000,
        killSignal: 'SIGKILL',
        maxBuffer: 1 << 28,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const seconds = Math.round((Date.now() - started) / 1000);
      writeFileSync(join(cache, `${row.id}-${part}.log`), `${result.stdout}${result.stderr}`);
      return { part, seconds, ...outcome(part, result) };
    });
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true, default: [] },
    list: { type: 'boolean', default: false },
  },
});
const chosen = Object.keys(ROWS).filter(
  (id) => values.only.length === 0 || values.only.some((only) => id.startsWith(only)),
);
if (chosen.length === 0) {
  console.error(`There is no such row. There are: ${Object.keys(ROWS).join(', ')}`);
  process.exit(2);
}

let failed = false;
const print = (...cells) => console.log(`| ${cells.join(' | ')} |`);
print('row', 'runtime', 'what was run', 'result', 'seconds');
print('---', '---', '---', '---', '---');
for (const id of chosen) {
  const row = ROWS[id];
  if (values.list) {
    print(id, row.name, row.parts.join(', '), lacking(row).length > 0 ? 'skipped' : '', '');
    continue;
  }
  for (const { part, skipped, ok, text, seconds } of runRow({ id, ...row })) {
    if (skipped !== undefined) {
      print(id, row.name, 'skipped', skipped, '');
      failed ||= Boolean(process.env.HOLDFAST_TEST_NO_SKIP);
      continue;
    }
    const [first, ...more] = text.split('\n');
    const promised = row.promised !== false;
    print(id, row.name, part, `${ok ? 'ok' : promised ? 'FAILED' : 'fails'}: ${first}`, seconds);
    for (const line of more) console.log(`    ${line}`);
    failed ||= !ok && promised;
  }
}
process.exit(failed ? 1 : 0);
