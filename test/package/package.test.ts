// @module-tag long
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { installedProject, ROOT, run as runIn } from '../support/package-project.js';

const TSC = join(ROOT, 'node_modules', '.bin', 'tsc');
const run = (cwd: string, command: string, ...args: string[]): string => runIn(cwd, command, args);

const RELATIVE = /(?:from|import|require)\s*\(?\s*["'](\.[^"']+)["']/g;

/** The files of JavaScript and types that are reached from what the manifest names. */
function reachedFrom(folder: string, entries: string[]): Set<string> {
  const reached = new Set<string>();
  const visit = (file: string): void => {
    if (reached.has(file)) return;
    reached.add(file);
    const text = readFileSync(join(folder, file), 'utf8');
    for (const [, target = ''] of text.matchAll(RELATIVE)) {
      visit(join(dirname(file), file.endsWith('.d.ts') ? target.replace(/js$/, 'd.ts') : target));
    }
  };
  entries.forEach(visit);
  return reached;
}

/** The tarball that users get, installed into an empty project with scripts off. */
describe('the packed tarball', () => {
  let package_: ReturnType<typeof installedProject>;
  let project = '';
  let files: string[] = [];

  beforeAll(() => {
    package_ = installedProject();
    ({ project } = package_);
    files = package_.tarball.files.map(({ path }) => path);
  }, 180_000);
  afterAll(() => package_.remove());

  test('holds what users need and nothing else', () => {
    const installed = join(project, 'node_modules', 'holdfast');
    const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
    const targets = Object.values<{ types?: string; default?: string }>(manifest.exports);
    const entries = targets.flatMap(({ types, default: code }) => [types, code]);
    const named = [...entries, manifest.bin.holdfast].filter((each) => each !== undefined);
    const reached = reachedFrom(
      installed,
      named.map((each: string) => join(each)),
    );
    // All that is reached was there to be read. What else is there?
    const others = files.filter((file) => !reached.has(file));
    const expected = [
      /^package\.json$|^(README|CHANGELOG)\.md$|^LICENSE$/,
      /^docs\/[\w-]+\.(md|svg)$/,
      /^prebuilds\/[\w-]+\/holdfast[\w.-]*\.node$/,
      /^prebuilds\/SHA256SUMS$/,
      // Of CommonJS.
      /^dist\/cli\/package\.json$/,
      // The manual of the command, and what its JSON is like.
      /^dist\/man\/holdfast(-[a-z-]+)?\.1$/,
      /^schemas\/[a-z-]+\.json$/,
      // The hook, which hosts run by its path, and what it loads late.
      /^dist\/hook(-[a-z-]+)?\.cjs$/,
      // Of mcp-sdk.js.
      /^dist\/cli\/THIRD-PARTY-NOTICES$/,
      // The types that those of the doors need.
      /^dist\/([a-z-]+\/){0,2}[\w-]+\.d\.ts$/,
    ];
    expect(others.filter((file) => !expected.some((rule) => rule.test(file)))).toEqual([]);
    expect(files).toContain('prebuilds/linux-x64/holdfast.node');
    for (const page of ['api', 'bundling', 'migrating', 'semantics']) {
      expect(files).toContain(`docs/${page}.md`);
    }
  });

  test('is small', () => {
    const total = (list: { size: number }[]) => list.reduce((sum, { size }) => sum + size, 0);
    const { size } = package_.tarball;
    const prebuilds = package_.tarball.files.filter(({ path }) => path.startsWith('prebuilds/'));
    const others = package_.tarball.files.filter((file) => !prebuilds.includes(file));
    for (const prebuild of prebuilds) expect(prebuild.size, prebuild.path).toBeLessThan(100_000);
    // The command has its own copy of what it uses, because it starts sooner so.
    // What agents use: MCP with its licences 305,000, the hook with the parser of
    // shell lines 295,000; a quarter of it packed. Updates, messages between instances,
    // slots and several locks, with their pages: 50,000 each. The manual of the
    // command, its page in docs/ and the schemas, 180,000: a quarter of it packed.
    expect(total(others)).toBeLessThan(1_250_000 + 305_000 + 295_000 + 4 * 50_000 + 180_000);
    expect(size).toBeLessThan(230_000 + 150_000 + 45_000 + 60_000 * prebuilds.length);
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

  test('has types that compile, from a module and from CommonJS', { tags: ['long'] }, () => {
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
