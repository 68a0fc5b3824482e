// A message to the first instance and its answer, from one process to another:
// the lock is tried, the socket looked at and connected to, both ends ask who the
// other is, a line of JSON goes each way. Against a bare round trip of node:net
// with the same lines, a connection each, to a server in another process.
import { mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { InstanceLock } from '../dist/instance.js';
import { Child } from './child.mjs';
import { compare, interleave } from './measure.mjs';
import { row } from './report.mjs';

const INSTANCE = new URL('../dist/instance.js', import.meta.url).href;
const ENDS = 'process.stdin.resume().on("end", () => process.exit());';
const FIRST = `
  const { InstanceLock } = await import(${JSON.stringify(INSTANCE)});
  globalThis.lock = await InstanceLock.acquire(process.argv[1], { onMessage: (message) => message });
  ${ENDS}
  console.log('ready');`;
const BARE = `
  import { createServer } from 'node:net';
  createServer((socket) => {
    const chunks = [];
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      if (chunk.at(-1) === 10) socket.end(JSON.stringify(JSON.parse(Buffer.concat(chunks))) + '\\n');
    });
  }).listen(process.argv[1], () => console.log('ready'));
  ${ENDS}`;

const start = async (source, path) => {
  const child = new Child(process.execPath, ['--input-type=module', '-e', source, '--', path]);
  await child.hear();
  return child;
};

async function viaInstance(path, message) {
  const { answer } = await InstanceLock.acquireOrSend(path, message, { onMessage() {} });
  if (answer.length !== message.length) throw new Error('another answer');
}

function bare(path, message) {
  return new Promise((resolve, reject) => {
    const chunks = [];
    const socket = connect(path, () => socket.write(`${JSON.stringify(message)}\n`));
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', reject);
    socket.on('end', () => {
      const answer = JSON.parse(Buffer.concat(chunks));
      if (answer.length === message.length) resolve();
      else reject(new Error('another answer'));
    });
  });
}

/** Milliseconds of each of `count`. */
async function timeOf(count, call) {
  const begin = performance.now();
  for (let round = 0; round < count; round++) await call();
  return (performance.now() - begin) / count;
}

export async function measureMessages({ folder, quick }) {
  const base = join(folder, 'messages');
  mkdirSync(base);
  const lock = join(base, 'x.lock');
  const socket = join(base, 'bare.sock');
  const children = [await start(FIRST, lock), await start(BARE, socket)];
  const rows = [];
  for (const [what, length, count] of [
    ['of 20 bytes', 20, 200],
    ['of 0.9 MB both ways', 900_000, 8],
  ]) {
    const message = 'x'.repeat(length);
    const contestants = {
      holdfast: () => timeOf(count, () => viaInstance(lock, message)),
      bare: () => timeOf(count, () => bare(socket, message)),
    };
    await interleave(contestants, 2);
    const times = await interleave(contestants, quick ? 5 : 30);
    const title = `a message ${what} and its answer`;
    rows.push(row({ what: title, values: times.holdfast, unit: 'ms' }));
    const compared = compare(times.holdfast, times.bare, 'ms', 2);
    rows.push(row({ what: `${title}, against bare node:net`, unit: '×', ...compared }));
  }
  for (const child of children) await child.kill();
  return { title: 'Messages', rows };
}
