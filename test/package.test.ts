import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const TSC = join(ROOT, 'node_modules', '.bin', 'tsc');

function run(cwd: string, command: string, ...args: string[]): string {
  return execFileSync(command, args, {
    cwd,
    encoding: 'utf8',
    timeout: 120_000,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** The tarball that users get, installed into an empty project with scripts off. */
describe('the packed tarball', () => {
  let project = '';
  let files: string[] = [];

  const folder = mkdtempSync(join(tmpdir(), 'holdfast-package-'));

  beforeAll(() => {
    const packed = run(
      ROOT,
      'npm',
      'pack',
      '--json',
      '--ignore-scripts',
      '--pack-destination',
      folder,
    );
    const [tarball] = JSON.parse(packed) as [{ filename: string; files: { path: string }[] }];
    files = tarball.files.map((file) => file.path);
    project = join(folder, 'project');
    mkdirSync(project);
    writeFileSync(join(project, 'package.json'), '{"name":"project","private":true}');
    const quiet = ['--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'];
    run(project, 'npm', 'install', ...quiet, join(folder, tarball.filename));
  }, 180_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('holds what users need and nothing else', () => {
    const unexpected = files.filter(
      (file) =>
        !/^(dist\/.+\.(js|d\.ts)|prebuilds\/[\w-]+\/holdfast\.node|docs\/[\w-]+\.md)$/.test(file) &&
        !['package.json', 'README.md', 'CHANGELOG.md', 'LICENSE'].includes(file),
    );
    expect(unexpected).toEqual([]);
    expect(files).toContain('prebuilds/linux-x64/holdfast.node');
    expect(files).toContain('dist/cli/holdfast.js');
    expect(files).toContain('dist/index.d.ts');
  });

  test('has no script that runs on install, and nothing to compile', () => {
    const manifest = JSON.parse(
      readFileSync(join(project, 'node_modules', 'holdfast', 'package.json'), 'utf8'),
    );
    expect(manifest.gypfile).toBe(false);
    for (const script of ['preinstall', 'install', 'postinstall', 'prepare']) {
      expect(manifest.scripts).not.toHaveProperty(script);
    }
    expect(files).not.toContain('binding.gyp');
  });

  test('is there for import and for require', () => {
    const use = 'h.FileLock.acquireSync("x.lock").releaseSync(); console.log(typeof h.withLock)';
    const esm = `import * as h from 'holdfast'; ${use}`;
    expect(run(project, process.execPath, '--input-type=module', '-e', esm)).toBe('function\n');
    const cjs = `const h = require('holdfast'); ${use}`;
    expect(run(project, process.execPath, '-e', cjs)).toBe('function\n');
    const layers = `
      import { isLockError } from 'holdfast';
      import { InstanceLock } from 'holdfast/instance';
      import { memoryLocker } from 'holdfast/testing';
      await InstanceLock.acquire('y.lock');
      await memoryLocker({ instance: true }).acquire('y.lock');
      await InstanceLock.acquire('y.lock').catch((e) => console.log(isLockError(e), e.message));`;
    expect(run(project, process.execPath, '--input-type=module', '-e', layers)).toMatch(
      /^true another instance is already running \(pid \d+\)\n$/,
    );
  });

  test('has types that compile, from a module and from CommonJS', () => {
    const source = `
      import { FileLock, inspect, isLockError, withLock, type LockStatus } from 'holdfast';
      import { AlreadyRunningError, InstanceLock, instanceLocker } from 'holdfast/instance';
      import { memoryLocker } from 'holdfast/testing';
      interface Server { url: string; port: number }
      export async function use(): Promise<string | undefined> {
        await using lock = await FileLock.acquire<Server>('x.lock', {
          timeout: 10, data: { url: 'http://localhost', port: 1 },
        });
        lock.update({ port: 2 });
        const status: LockStatus<Server> = await inspect<Server>('x.lock');
        const url: string | undefined = status.holders[0]?.data?.url;
        const five: number = await withLock('y.lock', () => 5);
        try { FileLock.tryAcquire('x.lock')?.releaseSync(); } catch (error) {
          if (isLockError(error, 'ERR_LOCK_HELD')) return error.path + five + error.holder?.data?.url;
          if (error instanceof AlreadyRunningError) return error.data.url;
        }
        const lockers = [memoryLocker(), instanceLocker({ name: 'x' })];
        await using instance = await InstanceLock.acquire<Server>('z.lock', {
          onStale: (previous) => console.log(previous.data.port, lockers.length),
          force: five > 4 ? { how: 'terminate', confirm: (holder) => holder.data?.port === 1 } : undefined,
        });
        instance.update({ port: 3 });
        return url;
      }`;
    writeFileSync(join(project, 'use.mts'), source);
    writeFileSync(join(project, 'use.cts'), source);
    for (const [module, resolution] of [
      ['nodenext', 'nodenext'],
      ['esnext', 'bundler'],
    ] as const) {
      const sources = module === 'nodenext' ? ['use.mts', 'use.cts'] : ['use.mts'];
      const options = [
        '--noEmit',
        '--strict',
        '--exactOptionalPropertyTypes',
        '--target',
        'es2023',
        '--lib',
        'es2023,esnext.disposable',
      ];
      const how = ['--module', module, '--moduleResolution', resolution];
      const types = ['--types', 'node', '--typeRoots', join(ROOT, 'node_modules', '@types')];
      expect(run(project, TSC, ...options, ...how, ...types, ...sources)).toBe('');
    }
  });

  test('brings the command', () => {
    const bin = join(project, 'node_modules', '.bin', 'holdfast');
    expect(run(project, bin, '--version')).toMatch(/^holdfast \d+\.\d+\.\d+\n$/);
    expect(run(project, bin, 'run', 'made/x.lock', 'echo', 'ran')).toBe('ran\n');
  });
});
