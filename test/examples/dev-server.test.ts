// @module-tag long
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { InstanceLock } from '../../src/instance/instance-lock.js';
import { testFolder } from '../support/folder.js';
import { Program } from '../support/program.js';

const SERVER = fileURLToPath(new URL('../../examples/dev-server/server.mjs', import.meta.url));
const LOCK = '.dev-server.lock';

function server(cwd: string, ...args: string[]): Program {
  return Program.start(process.execPath, [SERVER, ...args], { cwd });
}

/** One that listens, and where. */
async function listening(cwd: string, ...args: string[]): Promise<[Program, string]> {
  const program = server(cwd, ...args);
  await program.says('\n');
  const url = /^dev-server: listening on (http:\/\/127\.0\.0\.1:\d+)\n$/.exec(program.stdout)?.[1];
  if (url === undefined) throw new Error(`it said ${program.stdout}`);
  return [program, url];
}

// Loaded before the server: it listens when a line on stdin says so.
const HELD_BACK = `
import { Server } from 'node:net';
const { listen } = Server.prototype;
Server.prototype.listen = function (...args) {
  // The socket for messages.
  if (typeof args[0] === 'object') return listen.apply(this, args);
  console.log('about to listen');
  process.stdin.once('data', () => listen.apply(this, args));
  return this;
};`;

/** One that holds the lock, and waits between acquiring it and listening. */
async function heldBack(cwd: string): Promise<Program> {
  const preload = `data:text/javascript,${encodeURIComponent(HELD_BACK)}`;
  const program = Program.start(process.execPath, ['--import', preload, SERVER], { cwd });
  await program.says('about to listen\n');
  return program;
}

/** One that holds the lock, in this process, and does not listen yet. */
function slowOne(cwd: string): InstanceLock<{ url: string }> {
  const lock = InstanceLock.acquireSync<{ url: string }>(join(cwd, LOCK));
  onTestFinished(() => lock.release());
  return lock;
}

async function body(url: string): Promise<string> {
  return (await fetch(url, { signal: AbortSignal.timeout(10_000) })).text();
}

describe('the dev server', () => {
  test('a second start prints the URL of the first and exits 0', async () => {
    const cwd = testFolder();
    const [first, url] = await listening(cwd);
    expect(await body(url)).toBe(`dev-server, pid ${first.pid}\n`);
    expect(await server(cwd).exited).toEqual({
      code: 0,
      signal: null,
      stdout: `dev-server: already running at ${url} (pid ${first.pid})\n`,
      stderr: '',
    });
    const { pid, port } = JSON.parse(readFileSync(join(cwd, LOCK), 'utf8'));
    expect({ pid, url: `http://127.0.0.1:${port}` }).toEqual({ pid: first.pid, url });
    expect(await body(url)).toBe(`dev-server, pid ${first.pid}\n`);
  });

  test('a second start opens its route in the first', async () => {
    const cwd = testFolder();
    const [first, url] = await listening(cwd);
    const second = server(cwd, '/about?x=1');
    expect(await second.exited).toEqual({
      code: 0,
      signal: null,
      stdout: `dev-server: opened ${url}/about?x=1 (pid ${first.pid})\n`,
      stderr: '',
    });
    expect(first.stdout.split('\n').slice(1)).toEqual([
      `dev-server: pid ${second.pid} starts as well`,
      `dev-server: opens ${url}/about?x=1`,
      '',
    ]);
  });

  test('the first opens its own', async () => {
    const first = server(testFolder(), '/mine');
    await first.says('/mine\n');
    const [, url] = /listening on (.*)\n/.exec(first.stdout) ?? [];
    expect(first.stdout).toContain(`dev-server: opens ${url}/mine\n`);
  });

  test.each(['SIGINT', 'SIGTERM'] as const)('%s removes the lock', async (signal) => {
    const cwd = testFolder();
    const [program] = await listening(cwd);
    expect(await program.kill(signal)).toMatchObject({ code: null, signal, stderr: '' });
    expect([existsSync(join(cwd, LOCK)), existsSync(join(cwd, `${LOCK}.sock`))]).toEqual([
      false,
      false,
    ]);
  });

  test('after kill -9 the next start listens', async () => {
    const cwd = testFolder();
    const [killed, url] = await listening(cwd);
    await killed.kill('SIGKILL');
    const [next] = await listening(cwd, '--port', new URL(url).port);
    expect(await body(url)).toBe(`dev-server, pid ${next.pid}\n`);
  });

  test('of ten starts at once one listens, and nine print where', async () => {
    const cwd = testFolder();
    const programs = Array.from({ length: 10 }, () => server(cwd));
    await Promise.all(programs.map((program) => program.says('http://127.0.0.1:')));
    const lines = programs.flatMap(({ stdout }) => stdout.trimEnd().split('\n'));
    const [first] = lines.filter((line) => line.includes('listening on'));
    const url = first?.split(' ').at(-1);
    const others = lines.filter((line) => line.includes(`already running at ${url} (pid `));
    expect(others).toHaveLength(9);
  });

  test('started before the first one listens, the others wait, and print its URL', async () => {
    const cwd = testFolder();
    const first = await heldBack(cwd);
    const others = Array.from({ length: 3 }, () => server(cwd));
    for (const other of others) await first.says(`dev-server: pid ${other.pid} starts as well\n`);
    first.process.stdin?.write('listen\n');
    await first.says('dev-server: listening on http://127.0.0.1:');
    for (const program of others) {
      const { code, stdout, stderr } = await program.exited;
      const url = /already running at (\S*) /.exec(stdout)?.[1] ?? '';
      expect({ code, stdout, stderr }).toEqual({
        code: 0,
        stdout: `dev-server: already running at ${url} (pid ${first.pid})\n`,
        stderr: '',
      });
      expect(await body(url)).toBe(`dev-server, pid ${first.pid}\n`);
    }
  });

  test('killed before it listens, its place is taken', async () => {
    const cwd = testFolder();
    const first = await heldBack(cwd);
    const second = server(cwd);
    await first.says(`dev-server: pid ${second.pid} starts as well\n`);
    await first.kill('SIGKILL');
    await second.says('dev-server: listening on http://127.0.0.1:');
  });

  test('does not wait for it indefinitely', async () => {
    const cwd = testFolder();
    slowOne(cwd);
    const { code, stderr } = await server(cwd, '--wait', '300').exited;
    expect(code).toBe(1);
    expect(stderr).toMatch(/^dev-server: error: no answer from .* within 300 ms/);
    expect(stderr).toContain(`held by pid ${process.pid}`);
  });

  test('takes the place of a first one that ends before it listens', async () => {
    const cwd = testFolder();
    const lock = slowOne(cwd);
    const second = server(cwd);
    await lock.release();
    await second.says('dev-server: listening on http://127.0.0.1:');
  });

  test('a port that is taken is an error, and the lock is gone', async () => {
    const [, url] = await listening(testFolder());
    const cwd = testFolder();
    const { code, stderr } = await server(cwd, '--port', new URL(url).port).exited;
    expect(code).toBe(1);
    expect(stderr).toContain('EADDRINUSE');
    expect(existsSync(join(cwd, LOCK))).toBe(false);
  });

  test.each([
    ['--port', 'x'],
    ['--port', '65536'],
    ['--wait', ''],
    ['--bogus'],
    ['about'],
    ['/a', '/b'],
  ])('does not take %s %s', async (...args) => {
    expect(await server(testFolder(), ...args).exited).toMatchObject({ code: 64, stdout: '' });
  });
});
