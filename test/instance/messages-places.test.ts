import { chmodSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';
import { describe, expect, test } from 'vitest';
import { InstanceLock } from '../../src/instance.js';
import { lockPath, testFolder } from '../support/folder.js';
import { instanceProgram } from '../support/instance.js';
import { echo, firstHere, firstProgram, send, sendingProgram } from '../support/messages.js';
import { Program } from '../support/program.js';
import { NOBODY, needs } from '../support/tools.js';

const INSTANCE = fileURLToPath(new URL('../../dist/instance.js', import.meta.url));
const CORE = fileURLToPath(new URL('../../prebuilds', import.meta.url));

describe('a path', () => {
  const NAMES: [string, string | Buffer][] = [
    ['longer than the address of a socket', `${'folder-'.repeat(20)}/${'deep-'.repeat(20)}/x.lock`],
    ['of exactly 107 bytes and more', 'y'.repeat(107)],
    ['with the longest name', 'n'.repeat(250)],
    ['with a name that looks like another', 'x.lock.sock'],
    ['in UTF-8', 'schloß-锁.lock'],
    ['that is not UTF-8', Buffer.from([0x66, 0xff, 0xfe, 0x2e, 0x6c])],
  ];

  test.each(NAMES)('%s', async (_, name) => {
    const folder = testFolder();
    const path =
      typeof name === 'string'
        ? join(folder, name)
        : Buffer.concat([Buffer.from(`${folder}/`), name]);
    const lock = await firstHere(path);
    expect((await send(path, 1)).answer).toEqual({ message: 1, pid: process.pid });
    await lock.release();
  });

  test('whose socket would have too long a name is an error, and nothing stays', async () => {
    const path = lockPath('n'.repeat(251));
    const acquiring = InstanceLock.acquire(path, { onMessage: echo });
    await expect(acquiring).rejects.toMatchObject({ code: 'ENAMETOOLONG' });
    await (await InstanceLock.acquire(path)).release();
  });

  needs('root')('where this user can create nothing is an error that names it', async () => {
    const path = lockPath();
    writeFileSync(path, '');
    chmodSync(path, 0o666);
    chmodSync(dirname(path), 0o755);
    const source = `
      process.setgroups([]);
      process.setgid(${NOBODY.gid});
      process.setuid(${NOBODY.uid});
      await InstanceLock.acquire(path, { onMessage() {}, keepFile: true }).catch((error) =>
        say(JSON.stringify({ code: error.code, path: error.path, text: error.message })));`;
    const { stdout, stderr } = await instanceProgram(path, source).exited;
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toMatchObject({ code: 'EACCES', path: `${path}.sock` });
    expect(stdout).not.toContain('/proc/');
  });

  test('relative to a working directory that changes', async () => {
    const path = lockPath();
    const first = instanceProgram(
      path,
      `process.chdir(path.slice(0, path.lastIndexOf('/')));
      const lock = await InstanceLock.acquire('test.lock', { onMessage: (message) => message });
      process.chdir('/');
      process.stdin.resume().on('end', () => lock.release());
      say('held');`,
    );
    await first.says('held');
    expect((await send(path, 1)).answer).toBe(1);
    expect(await first.end()).toMatchObject({ code: 0, stderr: '' });
  });
});

const WORKER = (path: string): string => `
  const { InstanceLock } = await import(${JSON.stringify(INSTANCE)});
  const lock = await InstanceLock.acquire(${JSON.stringify(path)}, {
    onMessage: (message) => ({ message }),
  });`;

test('a worker of a cluster listens itself, in the right folder', async () => {
  // So long that /proc/self/fd/N is needed.
  const path = join(testFolder(), 'f'.repeat(120), 'x.lock');
  const program = Program.module(
    `
    const { default: cluster } = await import('node:cluster');
    const { openSync } = await import('node:fs');
    if (cluster.isPrimary) {
      // Its descriptors have other numbers than the worker's.
      for (let fd = 0; fd < 8; fd++) openSync('/', 'r');
      cluster.setupPrimary({ exec: args[0], execArgv: [], args: [] });
      const worker = cluster.fork();
      worker.on('message', (pid) => say('listens ' + pid));
      process.stdin.resume().on('end', () => worker.kill());
    }`,
    [script(`${WORKER(path)} process.send(process.pid);`)],
  );
  await program.says('listens ');
  const pid = Number(/listens (\d+)/.exec(program.stdout)?.[1]);
  expect(await send(path, 1)).toEqual({ answer: { message: 1 }, pid });
  expect(pid).not.toBe(program.pid);
  await program.end();
});

/** A file with the source. */
function script(source: string): string {
  const file = join(testFolder(), 'script.mjs');
  writeFileSync(file, source);
  return file;
}

test('a worker thread listens; when it is terminated, the next one does', async () => {
  const path = lockPath();
  const program = Program.module(
    `
    const { Worker } = await import('node:worker_threads');
    const worker = new Worker(new URL('file://' + args[0]), { execArgv: [] });
    worker.once('message', () => say('listens'));
    process.stdin.once('data', async () => {
      await worker.terminate();
      say('terminated');
    });`,
    [
      script(`import { parentPort } from 'node:worker_threads'; ${WORKER(path)}
        parentPort.postMessage('x'); parentPort.on('message', () => {});`),
    ],
  );
  await program.says('listens');
  expect(await send(path, 1)).toEqual({ answer: { message: 1 }, pid: program.pid });
  program.process.stdin?.write('x');
  await program.says('terminated');
  await firstHere(path);
  expect((await send(path, 2)).pid).toBe(process.pid);
});

test.each(['esm', 'cjs'] as const)('a bundle in %s', async (format) => {
  const path = lockPath();
  const folder = testFolder();
  const entry = join(folder, 'app.mjs');
  writeFileSync(
    entry,
    `import { InstanceLock } from ${JSON.stringify(INSTANCE)};
    const [path] = process.argv.slice(2);
    const onMessage = (message) => ({ bundled: message });
    InstanceLock.acquireOrSend(path, 'x', { onMessage }).then((result) => {
      console.log(result.lock ? 'first' : JSON.stringify(result.answer));
      if (result.lock) process.stdin.resume();
    });`,
  );
  const file = join(folder, 'out', format === 'esm' ? 'app.mjs' : 'app.cjs');
  await build({
    input: entry,
    platform: 'node',
    external: ['node-gyp-build'],
    logLevel: 'silent',
    output: { file, format, codeSplitting: false },
  });
  const env = { ...process.env, HOLDFAST_PREBUILD: join(CORE, '..') };
  const first = Program.start(process.execPath, [file, path], { env });
  await first.says('first');
  const second = await Program.start(process.execPath, [file, path], { env }).exited;
  expect(second).toMatchObject({ code: 0, stdout: '{"bundled":"x"}\n', stderr: '' });
});

test('a program that sends ends by itself, and has left nothing', async () => {
  const path = lockPath();
  await firstProgram(path);
  const { code, stderr } = await sendingProgram(path, 1).exited;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
});
