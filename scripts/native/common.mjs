// The parts that the builds for all platforms share.
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const headers = createRequire(import.meta.url)('node-api-headers');

/** An addon must have fewer bytes. */
export const LIMIT = 100_000;
export const EXPORTS = ['napi_register_module_v1', 'node_api_module_get_api_version_v1'];

/** The flags of the compilers that binding.gyp does not call. */
export const FLAGS = [
  '-std=c++17',
  '-O2',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-fno-exceptions',
  '-fno-rtti',
  '-fno-threadsafe-statics',
  '-fno-asynchronous-unwind-tables',
  '-fvisibility=hidden',
  '-ffunction-sections',
  '-fdata-sections',
  '-DNAPI_VERSION=8',
  '-DNODE_ADDON_API_DISABLE_DEPRECATED',
  '-DNODE_ADDON_API_DISABLE_CPP_EXCEPTIONS',
  '-DNODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS',
  `-ffile-prefix-map=${root}=./`,
  `-I${headers.include_dir}`,
  `-I${join(root, 'node_modules', 'node-addon-api')}`,
];

/** The files of src-native/ that every platform compiles. binding.gyp names them again. */
export const SHARED_SOURCES = [
  'addon.cc',
  'arguments.cc',
  'entry-calls.cc',
  'take-calls.cc',
  'lock-calls.cc',
  'record-calls.cc',
  'folder-calls.cc',
  'process-calls.cc',
  'table.cc',
  'record.cc',
  'record-text.cc',
  'content.cc',
  'words.cc',
  'runtime.cc',
];

/** The path inside the repository. */
export function placeOf(target) {
  return join('prebuilds', target, 'holdfast.node');
}

export function hashOf(file) {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

export function isThere(tool) {
  return spawnSync(tool, ['--version']).status === 0;
}

/** Returns what the tool prints. If it fails, it has printed the reason. */
export function run(tool, args, options = {}) {
  return execFileSync(tool, args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 26, ...options });
}

/** Runs `work` with a folder, and then removes the folder. */
export function inFolder(work) {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-native-'));
  try {
    return work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
