import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished } from 'vitest';
import { FileLock, inspect } from '../../src/index.js';
import { until } from '../support/census.js';
import { COMMAND, call } from '../support/command.js';
import { Fifo } from '../support/fifo.js';
import { testFolder } from '../support/folder.js';
import { Program } from '../support/program.js';
import { needs } from '../support/tools.js';

// Compilers take their time beside other tests.
const options = { tags: ['long'], timeout: 60_000 };

/** The built command holding the lock until its stdin ends, under it `sh`. */
async function holdfastRun(path: string): Promise<Program> {
  const run = [COMMAND, 'run', path, 'sh', '-c', 'echo held; cat'];
  const holder = Program.start(process.execPath, run);
  await holder.says('held');
  return holder;
}

describe('cargo build', () => {
  const test = needs('cargo');

  /** A crate whose build waits for a line. */
  function crate(): { start: () => Program; lock: string; fifo: Fifo } {
    const folder = testFolder();
    const fifo = new Fifo();
    mkdirSync(join(folder, 'src'));
    const named = '[package]\nname = "held"\nversion = "0.1.0"\nedition = "2018"\n';
    writeFileSync(join(folder, 'Cargo.toml'), named);
    writeFileSync(join(folder, 'src', 'main.rs'), 'fn main() {}\n');
    const reads = `let fifo = std::fs::File::open(${JSON.stringify(fifo.path)}).unwrap();
      std::io::BufRead::read_line(&mut std::io::BufReader::new(fifo), &mut String::new()).unwrap();
      println!("read");`;
    writeFileSync(join(folder, 'build.rs'), `fn main() {\n${reads}\n}\n`);
    const env = { ...process.env, CARGO_HOME: join(folder, 'home'), CARGO_TERM_COLOR: 'never' };
    return {
      start: () => Program.start('cargo', ['build', '--offline'], { cwd: folder, env }),
      lock: join(folder, 'target', 'debug', '.cargo-lock'),
      fifo,
    };
  }

  test(
    'is named as the holder of its build directory, and lets go at its end',
    options,
    async () => {
      const { start, lock, fifo } = crate();
      const cargo = start();
      await until(async () => (await inspect(lock)).state === 'held');
      expect((await inspect(lock)).holders).toMatchObject([
        { pid: cargo.pid, source: 'kernel', verified: true, command: 'cargo build --offline' },
      ]);
      expect((await call('status', lock)).stdout).toContain(`${cargo.pid} cargo build`);
      expect(FileLock.tryAcquire(lock)).toBeNull();
      const pending = FileLock.acquire(lock);
      fifo.write('go on\n');
      await using granted = await pending;
      expect(granted.previous).toBeNull();
      expect(await cargo.exited).toMatchObject({ code: 0 });
    },
  );

  test('waits for holdfast run, and says so', options, async () => {
    const { start, lock, fifo } = crate();
    fifo.write('go on\n');
    expect(await start().exited).toMatchObject({ code: 0 });
    const holder = await holdfastRun(lock);
    const cargo = start();
    // Of its "build directory", which later versions call the "artifact directory".
    await cargo.says('Blocking waiting for file lock on ', 'stderr');
    await until(async () => (await inspect(lock)).waiters.includes(cargo.pid));
    await holder.end();
    expect(await cargo.exited).toMatchObject({ code: 0 });
  });
});

describe('the go command', () => {
  const test = needs('go');

  function environment(folder: string, more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
    const own = { HOME: folder, GOPATH: join(folder, 'path'), GOCACHE: join(folder, 'cache') };
    const offline = { GOENV: 'off', GOPROXY: 'off', GOSUMDB: 'off', GOFLAGS: '-modcacherw' };
    return { ...process.env, ...own, ...offline, GOTOOLCHAIN: 'local', ...more };
  }

  test('waits for Holdfast with its change of go.mod, which stays as it was', options, async () => {
    const folder = testFolder();
    const file = join(folder, 'go.mod');
    writeFileSync(file, 'module example.com/before\n');
    const holder = await holdfastRun(file);
    const edit = ['mod', 'edit', '-module', 'example.com/after'];
    const go = Program.start('go', edit, { cwd: folder, env: environment(folder) });
    await until(async () => (await inspect(file)).waiters.includes(go.pid));
    expect(readFileSync(file, 'utf8')).toBe('module example.com/before\n');
    await holder.end();
    expect(await go.exited).toMatchObject({ code: 0 });
    expect(readFileSync(file, 'utf8')).toBe('module example.com/after\n');
  });

  test('is named as the holder while it downloads a module, and waited for', options, async () => {
    const folder = testFolder();
    // A module proxy that has the module, and never sends it.
    const proxy = createServer((request, response) => {
      if (request.url?.endsWith('.zip')) proxy.emit('asked', response);
      else if (request.url?.endsWith('.mod')) response.end('module example.com/m\n');
      else response.end('{"Version":"v1.0.0"}');
    });
    await once(proxy.listen(0, '127.0.0.1'), 'listening');
    onTestFinished(() => void proxy.close().closeAllConnections());
    const asked = once(proxy, 'asked');
    const { port } = proxy.address() as AddressInfo;
    const env = environment(folder, { GOPROXY: `http://127.0.0.1:${port}`, NO_PROXY: '127.0.0.1' });
    const download = ['mod', 'download', 'example.com/m@v1.0.0'];
    const go = Program.start('go', download, { cwd: folder, env });
    await asked;
    const versions = ['path', 'pkg', 'mod', 'cache', 'download', 'example.com', 'm', '@v'];
    const lock = join(folder, ...versions, 'v1.0.0.lock');
    expect((await inspect(lock)).holders).toMatchObject([
      { pid: go.pid, source: 'kernel', verified: true, command: `go ${download.join(' ')}` },
    ]);
    await expect(FileLock.acquire(lock, { timeout: 0 })).rejects.toMatchObject({
      code: 'ERR_LOCK_HELD',
      holder: { pid: go.pid },
    });
    const pending = FileLock.acquire(lock);
    await go.kill();
    await using granted = await pending;
    expect(granted.held).toBe(true);
  });
});
