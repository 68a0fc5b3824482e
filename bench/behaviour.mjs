// node bench/behaviour.mjs
//
// How Holdfast and its peers behave after failures, tested with real processes.
// Prints the table that the README shows. Takes half a minute.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installPeers } from './prepare.mjs';

const CHILD = fileURLToPath(new URL('children/behaviour.mjs', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'holdfast-behaviour-'));
const children = new Set();
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

let files = 0;
function newPath() {
  const path = join(folder, `${files++}.lock`);
  writeFileSync(path, '');
  return path;
}

/** A process that uses `library`; its messages come as lines of JSON. */
function start(library, role, path, environment = {}) {
  const child = spawn(process.execPath, [CHILD, library, role, path], {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: { ...process.env, ...environment },
  });
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

/** The next line of a process, or `null` after `limit` ms. */
async function line(child, limit) {
  const signal = AbortSignal.timeout(limit);
  try {
    const [chunk] = await once(child.stdout, 'data', { signal });
    return String(chunk).trim();
  } catch {
    return null;
  }
}

async function end(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

function seconds(milliseconds) {
  return milliseconds < 1000
    ? `${Math.max(1, Math.round(milliseconds))} ms`
    : `${(milliseconds / 1000).toFixed(1)} s`;
}

/** Milliseconds; `null`: not within 20 s. */
async function timeAfterKill(library) {
  const path = newPath();
  const holder = start(library, 'hold', path);
  await line(holder, 10_000);
  const waiter = start(library, 'wait', path);
  await line(waiter, 10_000);
  const killed = performance.now();
  holder.kill('SIGKILL');
  const got = await line(waiter, 20_000);
  const after = performance.now() - killed;
  await end(waiter);
  return got === 'acquired' ? after : null;
}

const questions = {
  async 'after `kill -9`, the next one has the lock in'(library) {
    const samples = [];
    // The median of a few; one is enough where it takes seconds.
    while (samples.length < 7 && (samples[0] ?? 0) < 1000) {
      const sample = await timeAfterKill(library);
      if (sample === null) return 'never (20 s)';
      samples.push(sample);
    }
    samples.sort((one, other) => one - other);
    return seconds(samples[samples.length >> 1]);
  },
  async 'the holder’s event loop is blocked for 15 s'(library) {
    const path = newPath();
    const holder = start(library, 'block', path);
    await line(holder, 10_000);
    const waiter = start(library, 'wait', path);
    await line(waiter, 10_000);
    const blocked = performance.now();
    const got = await line(waiter, 14_000);
    const after = performance.now() - blocked;
    await end(waiter);
    await end(holder);
    return got === 'acquired' ? `**two holders** after ${seconds(after)}` : 'still one holder';
  },
  async 'excludes flock(1), Python, Perl'(library) {
    const path = newPath();
    const holder = start(library, 'hold', path);
    await line(holder, 10_000);
    const python = `import fcntl,sys; fcntl.flock(open(sys.argv[1],'a'), fcntl.LOCK_EX|fcntl.LOCK_NB)`;
    const perl = 'open(F,">>",$ARGV[0]) or die; flock(F,6) or exit 1';
    const got = [
      spawnSync('flock', ['-n', path, 'true']),
      spawnSync('python3', ['-c', python, path]),
      spawnSync('perl', ['-e', perl, path]),
    ].map(({ status }) => status === 0);
    await end(holder);
    return got.includes(true) ? 'no' : 'yes';
  },
  async 'four waits, and then `fs.readFile`'(library) {
    const path = newPath();
    const holder = start(library, 'hold', path);
    await line(holder, 10_000);
    const waiter = start(library, 'starve', path, { UV_THREADPOOL_SIZE: '4' });
    const got = await line(waiter, 5000);
    await end(waiter);
    await end(holder);
    return got === 'read' ? 'reads' : '**hangs**';
  },
  async 'a wait can be cancelled'(library) {
    const path = newPath();
    const holder = start(library, 'hold', path);
    await line(holder, 10_000);
    const waiter = start(library, 'cancel', path);
    const got = await line(waiter, 10_000);
    await end(waiter);
    await end(holder);
    return got === 'cancelled' ? 'yes' : 'no';
  },
  async 'a refusal names the holder'(library) {
    const path = newPath();
    const holder = start(library, 'hold', path);
    await line(holder, 10_000);
    const other = start(library, 'refused', path);
    const got = await line(other, 10_000);
    await end(other);
    await end(holder);
    return got?.includes(String(holder.pid)) ? 'pid, command, since when' : 'no';
  },
  async 'works when installed with scripts off'(library) {
    if (library === 'holdfast') return 'yes';
    const project = mkdtempSync(join(folder, 'project-'));
    const flags = ['--ignore-scripts', '--no-save', '--no-audit', '--no-fund'];
    const version = `${library}@${versions[library]}`;
    execFileSync('npm', ['install', '--prefix', project, ...flags, version], { stdio: 'ignore' });
    const use = `require(${JSON.stringify(join(project, 'node_modules', library))})`;
    return spawnSync(process.execPath, ['-e', use]).status === 0 ? 'yes' : 'no';
  },
};

const versions = installPeers();
const libraries = ['holdfast', 'proper-lockfile', 'fs-ext', 'fs-native-extensions'];
const rows = [
  ['', ...libraries.map((name) => (name in versions ? `${name} ${versions[name]}` : name))],
];
for (const [question, ask] of Object.entries(questions)) {
  console.error(`${question} …`);
  const row = [question];
  for (const library of libraries) {
    row.push(library === 'holdfast' || library in versions ? await ask(library) : 'not installed');
  }
  rows.push(row);
}
rows.splice(
  1,
  0,
  rows[0].map(() => '---'),
);
const date = new Date().toISOString().slice(0, 10);
const table = rows.map((row) => `| ${row.join(' | ')} |`).join('\n');
console.log(
  `${table}\n\nTried on ${date} with Node ${process.version} on Linux, by \`node bench/behaviour.mjs\`.`,
);
