import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { attempt, pack, ROOT, run, testWith, userEnvironment } from '../support/package-project.js';

// A minute or more of downloading other people's programs: only where it is asked for,
// with HOLDFAST_PACKAGE=1 in the environment.
const ASKED = (process.env['HOLDFAST_PACKAGE'] ?? '') !== '';

interface Manager {
  title: string;
  /** What to have from npm. */
  packages: string[];
  /** The program, below the folder of packages; a script is run by Node. */
  program: string;
  install: string[];
  /** What stops it from running scripts: arguments and environment. */
  off: { args?: string[]; env?: NodeJS.ProcessEnv };
  /** And to run them, where that is not what it does. */
  on?: { args?: string[]; env?: NodeJS.ProcessEnv };
  /** It does not start on an older Node. */
  node?: number;
  files?: Record<string, string>;
}

const NODE = { linux: `node-linux-${process.arch}@22.23.3` }[process.platform as 'linux'];

const MANAGERS: Manager[] = [
  {
    title: 'npm 11',
    packages: ['npm@11.21.2'],
    program: 'npm/bin/npm-cli.js',
    install: ['install', '--no-audit', '--no-fund'],
    off: { args: ['--ignore-scripts'] },
  },
  {
    title: 'npm 12',
    packages: ['npm@12.2.0'],
    program: 'npm/bin/npm-cli.js',
    install: ['install', '--no-audit', '--no-fund'],
    off: { args: ['--ignore-scripts'] },
    node: 22,
  },
  {
    title: 'pnpm 11',
    packages: ['pnpm@11.28.11'],
    program: 'pnpm/bin/pnpm.mjs',
    install: ['install', '--no-frozen-lockfile'],
    off: { args: ['--ignore-scripts'] },
    node: 22,
  },
  {
    title: 'pnpm 12',
    packages: [`@pnpm/exe.${process.platform}-${process.arch}@12.21.0`],
    program: `@pnpm/exe.${process.platform}-${process.arch}/pnpm`,
    install: ['install', '--no-frozen-lockfile'],
    off: { args: ['--ignore-scripts'] },
  },
  {
    title: 'yarn 1',
    packages: ['yarn@1.22.22'],
    program: 'yarn/bin/yarn.js',
    install: ['install', '--non-interactive', '--no-progress'],
    off: { args: ['--ignore-scripts'] },
  },
  {
    title: 'yarn 4',
    packages: ['@yarnpkg/cli-dist@4.18.1'],
    program: '@yarnpkg/cli-dist/bin/yarn.js',
    install: ['install'],
    off: { env: { YARN_ENABLE_SCRIPTS: 'false' } },
    on: { env: { YARN_ENABLE_SCRIPTS: 'true' } },
    files: { 'yarn.lock': '' },
  },
  {
    title: 'yarn 4 with Plug’n’Play',
    packages: ['@yarnpkg/cli-dist@4.18.1'],
    program: '@yarnpkg/cli-dist/bin/yarn.js',
    install: ['install'],
    off: { env: { YARN_ENABLE_SCRIPTS: 'false', YARN_NODE_LINKER: 'pnp' } },
    on: { env: { YARN_ENABLE_SCRIPTS: 'true', YARN_NODE_LINKER: 'pnp' } },
    files: { 'yarn.lock': '' },
  },
  {
    title: 'Bun',
    packages: [`@oven/bun-${process.platform}-${process.arch}-baseline@1.4.5`],
    program: `@oven/bun-${process.platform}-${process.arch}-baseline/bin/bun`,
    install: ['install'],
    off: { args: ['--ignore-scripts'] },
  },
];

// Whatever a user would stop at. Not: that yarn 1 asks for a license.
const NOISE = /warn|error|fail|ignored|blocked|approve|gyp|compil|postinstall|build script/i;
const OWN_NOISE = [
  // Of the project of the test, which has no such fields, or of the machine.
  /No license field/,
  /Unknown (user|env) config/,
  // Yarn 1 of --ignore-scripts; Yarn 4 of whatever is ESM, under Plug'n'Play.
  /warning Ignored scripts due to flag\./,
  /YN0092|Done with warnings/,
];

function noiseOf(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => NOISE.test(line) && !OWN_NOISE.some((own) => own.test(line)));
}

const USE = `
const { FileLock } = require('holdfast');
const lock = FileLock.acquireSync('x.lock');
console.log(lock.held, FileLock.tryAcquire('x.lock') === null);
lock.releaseSync();
`;

if (ASKED) describe('installs without a word', matrix);
// What nobody asked CI for is not a test that it passes over.
else if ((process.env['HOLDFAST_TEST_NO_SKIP'] ?? '') === '') {
  test.skip('installs without a word [skipped: takes a minute, asked for with HOLDFAST_PACKAGE=1]', () => {});
}

test('nothing in the package asks to be run or compiled at installation', () => {
  const { scripts, gypfile, files } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const hooks = ['preinstall', 'install', 'postinstall', 'prepare'];
  expect(Object.keys(scripts).filter((name) => hooks.includes(name))).toEqual([]);
  expect(gypfile).toBe(false);
  expect(files).not.toContain('binding.gyp');
});

function matrix(): void {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-managers-'));
  let tarball = '';
  let registry = '';

  beforeAll(() => {
    tarball = pack(folder).path;
    // The network settings of npm, for the others as well.
    const asked = attempt(ROOT, 'npm', ['config', 'get', 'registry']).stdout.trim();
    registry = asked === 'undefined' ? '' : asked;
  }, 60_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function newProject(manager: Manager, scripts: string): string {
    const project = join(folder, `${manager.title} ${scripts}`.replaceAll(/[^\w]+/g, '-'));
    mkdirSync(join(project, 'home'), { recursive: true });
    const manifest = {
      name: 'project',
      version: '1.0.0',
      private: true,
      dependencies: { holdfast: `file:${tarball}` },
    };
    writeFileSync(join(project, 'package.json'), JSON.stringify(manifest));
    writeFileSync(join(project, 'use.cjs'), USE);
    for (const [name, text] of Object.entries(manager.files ?? {})) {
      writeFileSync(join(project, name), text);
    }
    return project;
  }

  function environment(project: string, node: string): NodeJS.ProcessEnv {
    const home = join(project, 'home');
    return {
      PATH: `${dirname(node)}${delimiter}${userEnvironment()['PATH'] ?? ''}`,
      // Without the user's cache and settings.
      HOME: home,
      XDG_CACHE_HOME: join(home, 'cache'),
      XDG_DATA_HOME: join(home, 'data'),
      CI: '',
      npm_config_registry: registry,
      npm_config_update_notifier: 'false',
      pnpm_config_registry: registry,
      YARN_NPM_REGISTRY_SERVER: registry,
      YARN_NODE_LINKER: 'node-modules',
      YARN_ENABLE_TELEMETRY: '0',
      BUN_CONFIG_REGISTRY: registry,
    };
  }

  for (const manager of MANAGERS) {
    const old = Number(process.versions.node.split('.')[0]) < (manager.node ?? 0);
    const packages = [manager.packages, ...(old && NODE !== undefined ? [[NODE]] : [])];
    for (const scripts of ['on', 'off'] as const) {
      testWith(packages, `with ${manager.title}, scripts ${scripts}`, (bin = '', later = '') => {
        const [name = ''] = NODE?.split('@') ?? [];
        const node = old ? join(later, name, 'bin', 'node') : process.execPath;
        const project = newProject(manager, scripts);
        const how = manager[scripts] ?? {};
        const env = { ...environment(project, node), ...how.env };
        const program = join(bin, manager.program);
        const isScript = /\.m?js$/.test(program);
        const args = [...(isScript ? [program] : []), ...manager.install, ...(how.args ?? [])];
        const ran = attempt(project, isScript ? node : program, args, env);
        const said = `${ran.stdout}\n${ran.stderr}`;
        expect(ran.status, said).toBe(0);
        expect(noiseOf(said), said).toEqual([]);
        const pnp = env['YARN_NODE_LINKER'] === 'pnp' && manager.title.startsWith('yarn 4');
        const use = [...(pnp ? ['--require', './.pnp.cjs'] : []), 'use.cjs'];
        expect(run(project, process.execPath, use)).toBe('true true\n');
      });
    }
  }

  test('and a word would be heard', () => {
    expect(noiseOf('npm warn install-scripts 1 package blocked')).toHaveLength(1);
    expect(noiseOf('added 3 packages in 1s\nwarning No license field')).toEqual([]);
  });
}
