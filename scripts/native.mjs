// What prebuild.mjs and check-native.mjs both know: the platforms, and how an
// addon is built for one of them without leaving anything else behind.
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * `prefix` is that of the tools, `debian` the package that has them, `machine`
 * what readelf calls the processor, `page` the largest page that a kernel for
 * it may have: a segment that is aligned to less cannot be loaded there.
 */
export const TARGETS = {
  'linux-x64': {
    prefix: 'x86_64-linux-gnu-',
    debian: 'g++',
    machine: 'Advanced Micro Devices X86-64',
    page: 0x1000,
  },
  'linux-arm64': {
    prefix: 'aarch64-linux-gnu-',
    debian: 'g++-aarch64-linux-gnu',
    machine: 'AArch64',
    page: 0x10000,
  },
  'linux-arm': {
    prefix: 'arm-linux-gnueabihf-',
    debian: 'g++-arm-linux-gnueabihf',
    machine: 'ARM',
    page: 0x1000,
  },
  // Built and looked at by a script of its own.
  'win32-x64': {
    prefix: 'x86_64-w64-mingw32-',
    debian: 'g++-mingw-w64-x86-64',
    script: 'scripts/prebuild-win32.mjs',
  },
};

/** Inside the repository. */
export function placeOf(target) {
  return join('prebuilds', target, 'holdfast.node');
}

export function hashOf(file) {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

export function hasCompiler(target) {
  return spawnSync(`${TARGETS[target].prefix}g++`, ['--version']).status === 0;
}

/** Builds the addon in a folder that is gone afterwards; `to` gets the file. */
export function build(target, to) {
  const { prefix } = TARGETS[target];
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-native-'));
  try {
    for (const name of ['binding.gyp', 'package.json', 'src-native']) {
      cpSync(join(root, name), join(folder, name), { recursive: true });
    }
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    // By npm, whose configuration knows where Node's headers are. As root, it
    // runs scripts as the owner of the folder, who may own nothing else.
    const args = ['run', 'build:native', '--', '--arch', target.split('-')[1]];
    execFileSync('npm', args, {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'inherit'],
      env: {
        ...process.env,
        CC: `${prefix}gcc`,
        CXX: `${prefix}g++`,
        AR: `${prefix}ar`,
        PREBUILD_STRIP_BIN: `${prefix}strip`,
      },
    });
    const built = join(folder, placeOf(target));
    if (!existsSync(built)) throw new Error(`no addon was built for ${target}`);
    mkdirSync(dirname(to), { recursive: true });
    copyFileSync(built, to);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
