import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'vitest';

// vitest.config.ts removes the variable, but npm needs it to fetch.
const certificates = process.env['HOLDFAST_TEST_CA_CERTS'];
if (certificates !== undefined) process.env['NODE_EXTRA_CA_CERTS'] = certificates;

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CACHE = join(ROOT, 'node_modules', '.cache', 'package-tools');
const WINDOWS = process.platform === 'win32';

/** What npm sets for its own scripts is not what a user's shell has. */
export function userEnvironment(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(
    ([name]) => !/^(npm_|NODE_ENV$|NODE_OPTIONS$|VITEST|HOLDFAST_)/.test(name),
  );
  return Object.fromEntries(own);
}

export interface Ran {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** Runs it with a deadline, and never throws. */
export function attempt(
  cwd: string,
  command: string,
  args: string[],
  env: NodeJS.ProcessEnv = {},
): Ran {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    timeout: 120_000,
    killSignal: 'SIGKILL',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...userEnvironment(), ...env },
    shell: WINDOWS && !command.endsWith('.exe'),
  });
  return { status, stdout: stdout ?? '', stderr: `${stderr ?? ''}${error?.message ?? ''}` };
}

/** The same, but a failure fails the test. */
export function run(
  cwd: string,
  command: string,
  args: string[],
  env: NodeJS.ProcessEnv = {},
): string {
  const { status, stdout, stderr } = attempt(cwd, command, args, env);
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${status}\n${stdout}${stderr}`);
  return stdout;
}

const npm = (cwd: string, ...args: string[]): string =>
  execFileSync('npm', args, {
    cwd,
    encoding: 'utf8',
    timeout: 180_000,
    stdio: ['ignore', 'pipe', 'pipe'],
    shell: WINDOWS,
  });
const QUIET = ['--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'];

export interface Tarball {
  path: string;
  /** In bytes. */
  size: number;
  files: { path: string; size: number }[];
}

/** What is published: HOLDFAST_TARBALL, or packed from this folder. */
export function pack(folder: string): Tarball {
  const given = process.env['HOLDFAST_TARBALL'] ?? '';
  const what = given === '' ? ['--pack-destination', folder] : [resolve(ROOT, given), '--dry-run'];
  const text = npm(ROOT, 'pack', '--json', '--ignore-scripts', ...what);
  const [{ filename, size, files }] = Object.values(JSON.parse(text)) as [
    { filename: string; size: number; files: Tarball['files'] },
  ];
  return { path: given === '' ? join(folder, filename) : resolve(ROOT, given), size, files };
}

/** An empty project with the tarball installed, scripts off; and what removes it. */
export function installedProject(): { project: string; tarball: Tarball; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-package-'));
  const tarball = pack(folder);
  const project = join(folder, 'project');
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), '{"name":"project","private":true}');
  npm(project, 'install', ...QUIET, tarball.path);
  return { project, tarball, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** A second copy of the installed package, beside what it depends on. */
export function copyOf(project: string, name: string): void {
  const modules = join(project, 'node_modules');
  cpSync(join(modules, 'holdfast'), join(modules, name), { recursive: true });
}

const unavailable = new Map<string, string>();

/**
 * The folder of the packages, which npm brings at the first use, or `null`
 * where that is not possible.
 */
function tools(...packages: string[]): string | null {
  const key = packages.join(' ').replaceAll(/[^\w.-]+/g, '_');
  const folder = join(CACHE, key, 'node_modules');
  if (existsSync(folder)) return folder;
  if (unavailable.has(key)) return null;
  mkdirSync(CACHE, { recursive: true });
  const temporary = mkdtempSync(join(CACHE, 'new-'));
  try {
    writeFileSync(join(temporary, 'package.json'), '{"name":"tools","private":true}');
    npm(temporary, 'install', '--force', ...QUIET, ...packages);
    // Another process was faster; its result is as good.
    if (!existsSync(folder)) renameSync(temporary, join(CACHE, key));
    return folder;
  } catch (error) {
    unavailable.set(key, String(error));
    return null;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

type Body = (...folders: string[]) => void | Promise<void>;

/**
 * A long test with packages from npm: skipped, with the reason, where npm cannot
 * get them. Each set of packages has a folder, which all tests share: what one
 * test needs in addition is a set of its own, and the first is not fetched again.
 */
export function testWith(packages: string[] | string[][], title: string, body: Body): void {
  const isOne = (all: string[] | string[][]): all is string[] => typeof all[0] === 'string';
  const sets = isOne(packages) ? [packages] : packages;
  // Not before it runs: `npm test` fetches nothing.
  test(title, { tags: ['long'], timeout: 300_000 }, (context) => {
    const folders = sets.map((each) => tools(...each));
    if (folders.every((folder) => folder !== null)) return body(...folders);
    const reason = `needs ${packages.flat().join(', ')} from npm`;
    if ((process.env['HOLDFAST_TEST_NO_SKIP'] ?? '') === '') return context.skip(reason);
    throw new Error(`${reason}, and HOLDFAST_TEST_NO_SKIP forbids to skip`);
  });
}
