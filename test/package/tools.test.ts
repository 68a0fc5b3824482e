import { cpSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { attempt, installedProject, ROOT, run, testWith } from '../support/package-project.js';

// The package in other people's bundlers and in Jest, set up as docs/bundling.md
// says. Downloading those takes a minute, so only with HOLDFAST_PACKAGE=1.
const ASKED = (process.env['HOLDFAST_PACKAGE'] ?? '') !== '';
const WEBPACK = ['webpack@5.112.2'];
const ROLLUP = ['rollup@4.68.8', '@rollup/plugin-node-resolve@16.0.3'];
// One folder for all tests with Jest: npm takes most of their time.
const JEST = [
  ...['jest@30.5.2', '@swc/jest@0.2.39', '@swc/core@1.16.22'],
  ...['babel-jest@30.5.2', '@babel/core@7', '@babel/preset-env@7.29.14'],
  'babel-plugin-transform-import-meta@2.3.3',
];
const NODE24 = `node-linux-${process.arch}@24.21.0`;

const PAGE = readFileSync(join(ROOT, 'docs', 'bundling.md'), 'utf8');

/** The configurations of a file, in the order in which the page shows them. */
function shown(name: string): string[] {
  const blocks = [...PAGE.matchAll(/^```js\n\/\/ (\S+)\n([\s\S]*?)^```/gm)];
  return blocks.filter(([, file]) => file === name).map(([, , text = '']) => text);
}

const PROGRAM = `
import { FileLock } from 'holdfast';
import { InstanceLock } from 'holdfast/instance';
const lock = FileLock.acquireSync('x.lock');
const refused = FileLock.tryAcquire('x.lock') === null;
InstanceLock.acquire('y.lock').then((instance) => {
  console.log(lock.held, refused, instance.held);
  instance.releaseSync();
});
`;
const SAID = 'true true true\n';

if (ASKED) describe('with the tools of others', others);
else if ((process.env['HOLDFAST_TEST_NO_SKIP'] ?? '') === '') {
  test.skip('with the tools of others [skipped: takes a minute, asked for with HOLDFAST_PACKAGE=1]', () => {});
}

function others(): void {
  let package_: ReturnType<typeof installedProject>;
  let project = '';
  let modules = '';
  let count = 0;

  beforeAll(() => {
    package_ = installedProject();
    ({ project } = package_);
    modules = join(project, 'node_modules');
    writeFileSync(join(project, 'app.mjs'), PROGRAM);
  }, 180_000);
  afterAll(() => package_.remove());

  /** Beside the project: nothing is found through its node_modules by chance. */
  function newFolder(): string {
    const folder = join(dirname(project), `out-${count++}`);
    mkdirSync(folder);
    return folder;
  }

  /** Whatever the bundle names of the place where it was made is gone. */
  function ran(folder: string, file: string): string {
    const hidden = join(dirname(project), 'hidden');
    renameSync(modules, hidden);
    try {
      return run(folder, process.execPath, [join(folder, 'dist', file)]);
    } finally {
      renameSync(hidden, modules);
    }
  }
  const takeAlong = (folder: string): void =>
    cpSync(join(modules, 'holdfast', 'prebuilds'), join(folder, 'prebuilds'), { recursive: true });
  const install = (folder: string): void =>
    cpSync(modules, join(folder, 'node_modules'), { recursive: true });

  /** Runs webpack; it has nothing to complain about. */
  function webpack(tools: string, folder: string, config: string, file: string): void {
    writeFileSync(join(project, 'webpack.config.mjs'), config);
    const library = pathToFileURL(join(tools, 'webpack', 'lib', 'index.js')).href;
    const source = `
      import webpack from ${JSON.stringify(library)};
      import config from ${JSON.stringify(pathToFileURL(join(project, 'webpack.config.mjs')).href)};
      const output = { filename: ${JSON.stringify(file)}, ...config.output, path: process.argv[1] };
      webpack({ mode: 'production', context: process.cwd(), ...config, output }, (error, stats) => {
        const { errors, warnings } = stats.toJson({ all: false, errors: true, warnings: true });
        console.log(error, [...errors, ...warnings].map(({ message }) => message));
      });`;
    const words = ['--input-type=module', '-e', source, join(folder, 'dist')];
    expect(run(project, process.execPath, words)).toBe('null []\n');
  }

  describe('webpack', () => {
    const [outside = '', module = ''] = shown('webpack.config.mjs');

    testWith(WEBPACK, 'leaves it out', (tools) => {
      const folder = newFolder();
      webpack(tools, folder, outside, 'app.cjs');
      install(folder);
      expect(ran(folder, 'app.cjs')).toBe(SAID);
    });

    testWith(WEBPACK, 'takes it along, as CommonJS', (tools) => {
      const folder = newFolder();
      const config = `export default { target: 'node20', entry: './app.mjs' };`;
      webpack(tools, folder, config, 'app.cjs');
      takeAlong(folder);
      expect(ran(folder, 'app.cjs')).toBe(SAID);
    });

    testWith(WEBPACK, 'takes it along, as a module', (tools) => {
      const folder = newFolder();
      webpack(tools, folder, module, 'app.mjs');
      takeAlong(folder);
      expect(ran(folder, 'app.mjs')).toBe(SAID);
    });
  });

  // Each test installs the package several times.
  describe('Rollup and Rolldown', { timeout: 120_000 }, () => {
    const formats = { es: 'app.mjs', cjs: 'app.cjs' } as const;

    testWith(ROLLUP, 'Rollup takes it along', (tools) => {
      for (const [format, file] of Object.entries(formats)) {
        const folder = newFolder();
        const rollup = join(tools, '.bin', 'rollup');
        const fixed = [
          'app.mjs',
          '--plugin',
          join(tools, '@rollup/plugin-node-resolve/dist/cjs/index.js'),
        ];
        const out = ['--format', format, '--dir', join(folder, 'dist'), '--entryFileNames', file];
        run(project, rollup, [...fixed, ...out, '--inlineDynamicImports']);
        takeAlong(folder);
        expect(ran(folder, file)).toBe(SAID);
      }
    });

    test('Rolldown takes it along, and leaves it out', async () => {
      for (const [format, file] of Object.entries(formats) as ['es' | 'cjs', string][]) {
        for (const external of [[], [/^holdfast(\/|$)/]]) {
          const folder = newFolder();
          const input = join(project, 'app.mjs');
          const bundle = await rolldown({ input, platform: 'node', external });
          const dir = join(folder, 'dist');
          await bundle.write({ dir, format, codeSplitting: false, entryFileNames: file });
          await bundle.close();
          (external.length === 0 ? takeAlong : install)(folder);
          expect(ran(folder, file)).toBe(SAID);
        }
      }
    });
  });

  describe('Jest', () => {
    const CHECK = `
      test('locks', async () => {
        const { FileLock, InstanceLock } = await loaded();
        const lock = FileLock.acquireSync('x.lock');
        expect(FileLock.tryAcquire('x.lock')).toBe(null);
        lock.releaseSync();
        await expect(FileLock.acquire('x.lock/none', { timeout: 0 })).rejects.toThrow('x.lock');
        await (await InstanceLock.acquire('y.lock')).release();
      });`;
    const TESTS = {
      'a.test.cjs': `
        const loaded = () => ({ ...require('holdfast'), ...require('holdfast/instance') });${CHECK}`,
      'a.test.mjs': `
        import { FileLock } from 'holdfast';
        import { InstanceLock } from 'holdfast/instance';
        const loaded = () => ({ FileLock, InstanceLock });${CHECK}`,
      'dynamic.test.cjs': `
        const loaded = async () =>
          ({ ...(await import('holdfast')), ...(await import('holdfast/instance')) });${CHECK}`,
    };
    const MODULES = '--experimental-vm-modules';

    interface Setup {
      tools: string;
      name: keyof typeof TESTS;
      config?: string;
      flags?: string[];
      node?: string;
    }

    function jest({ tools, name, config, flags = [], node = process.execPath }: Setup) {
      const folder = newFolder();
      install(folder);
      for (const scope of ['@swc', '@babel', 'babel-plugin-transform-import-meta']) {
        symlinkSync(join(tools, scope), join(folder, 'node_modules', scope));
      }
      writeFileSync(join(folder, 'package.json'), '{"name":"project","private":true}');
      writeFileSync(join(folder, name), TESTS[name]);
      writeFileSync(join(folder, 'jest.config.mjs'), config ?? 'export default { transform: {} };');
      writeFileSync(
        join(folder, 'babel.config.cjs'),
        `module.exports = {
          presets: [['@babel/preset-env', { targets: { node: 'current' } }]],
          plugins: ['babel-plugin-transform-import-meta'],
        };`,
      );
      const program = join(tools, 'jest', 'bin', 'jest.js');
      const own = ['--rootDir=.', '--no-watchman', '--cacheDirectory=cache', '--no-color'];
      const matching = `--testMatch=**/${name}`;
      const words = ['--no-warnings', ...flags, program, ...own, matching];
      return attempt(folder, node, words);
    }
    const passed = { status: 0, stderr: expect.stringContaining('Tests:       1 passed') };

    for (const name of ['a.test.mjs', 'dynamic.test.cjs'] as const) {
      testWith(JEST, `imports it with VM modules: ${name}`, (tools) => {
        expect(jest({ tools, name, flags: [MODULES] })).toMatchObject(passed);
      });
    }

    testWith(
      [JEST, [NODE24]],
      'requires it with VM modules, on Node 24',
      (tools = '', programs = '') => {
        const node = join(programs, `node-linux-${process.arch}`, 'bin', 'node');
        expect(jest({ tools, name: 'a.test.cjs', flags: [MODULES], node })).toMatchObject(passed);
      },
    );

    testWith(JEST, 'requires it through a transform, as documented', (tools) => {
      const [config = ''] = shown('jest.config.mjs');
      expect(config).toContain('@swc/jest');
      expect(jest({ tools, name: 'a.test.cjs', config })).toMatchObject(passed);
    });

    testWith(JEST, 'requires it through babel-jest', (tools) => {
      const [config = ''] = shown('jest.config.mjs');
      const babel = config.replace('@swc/jest', join(tools, 'babel-jest'));
      const ended = jest({ tools, name: 'a.test.cjs', config: babel });
      expect(ended).toMatchObject(passed);
    });

    testWith(JEST, 'cannot require it otherwise, and says so', (tools) => {
      const { status, stderr } = jest({ tools, name: 'a.test.cjs' });
      expect(status).toBe(1);
      expect(stderr).toContain('Must use import to load ES Module');
    });
  });
}
