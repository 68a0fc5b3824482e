// What the bench needs besides the package: two programs in C, compiled, and
// the peers, installed. Both folders are ignored by git and made where missing.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

export const LIMIT = here('build/limit');
export const CPU_OF = here('build/cpu-of');
export const CHILDREN = here('children/');
const { bin } = JSON.parse(readFileSync(here('../package.json'), 'utf8'));
export const COMMAND = here(`../${bin.holdfast}`);
export const HOOK = here('../dist/hook.cjs');

// fs-ext is compiled by its own install script, so npm has to run those.
const PEERS = {
  'fs-ext': '2.1.1',
  'fs-native-extensions': '1.5.1',
  'proper-lockfile': '4.1.2',
  'write-file-atomic': '7.0.1',
};
// It locks nothing: for what takes the place of a lock and a writer together.
const WRITER = 'write-file-atomic';

export function compilePrograms() {
  mkdirSync(here('build'), { recursive: true });
  for (const program of [LIMIT, CPU_OF]) {
    const source = here(`${basename(program)}.c`);
    if (existsSync(program) && statSync(program).mtimeMs > statSync(source).mtimeMs) continue;
    const flags = ['-O2', '-Wall', '-Wextra', '-Werror', '-pthread'];
    execFileSync('cc', [...flags, '-o', program, source], { stdio: 'inherit' });
  }
}

function installedVersion(name) {
  const manifest = here(`peers/node_modules/${name}/package.json`);
  return existsSync(manifest) ? JSON.parse(readFileSync(manifest, 'utf8')).version : undefined;
}

/** Versions by name; without a network a peer is missing, and so are its rows. */
export function installPeers() {
  const wanted = Object.entries(PEERS);
  if (wanted.some(([name, version]) => installedVersion(name) !== version)) {
    mkdirSync(here('peers'), { recursive: true });
    const flags = ['--no-save', '--no-package-lock', '--no-audit', '--no-fund'];
    const packages = wanted.map(([name, version]) => `${name}@${version}`);
    try {
      execFileSync('npm', ['install', '--prefix', here('peers'), ...flags, ...packages], {
        stdio: ['ignore', 2, 2],
        timeout: 300_000,
      });
    } catch (error) {
      console.error(`the peers could not be installed: ${error.message}`);
    }
  }
  const there = Object.keys(PEERS).filter((name) => installedVersion(name) !== undefined);
  return Object.fromEntries(there.filter(loads).map((name) => [name, installedVersion(name)]));
}

/** The names of those that lock. */
export function lockPeers(peers) {
  return Object.keys(peers).filter((name) => name !== WRITER);
}

function loads(name) {
  try {
    execFileSync(process.execPath, ['-e', `require(${JSON.stringify(peerPath(name))})`], {
      timeout: 30_000,
      stdio: 'ignore',
    });
    return true;
  } catch {
    console.error(`${name} is installed but does not load: its rows are left out`);
    return false;
  }
}

export function peerPath(name) {
  return here(`peers/node_modules/${name}`);
}
