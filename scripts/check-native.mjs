// Checks the committed addons: that they are what the sources make, byte for
// byte and from any folder, and that they ask for nothing that an older system
// or another C library lacks. Rebuilt are that of linux-x64, and each for
// which there is a compiler.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build, hasCompiler, hashOf, placeOf, root, TARGETS } from './native.mjs';

const LIMIT = 100_000;
const EXPORTS = ['napi_register_module_v1', 'node_api_module_get_api_version_v1'];
// What glibc 2.28 and musl both have, by these names and with the same
// meaning. A new one: look whether that is true of 32 bits too (calls.h), and
// libuv is not everywhere where Node-API is.
const IMPORTS = new Set(
  `__errno_location abort calloc clock_gettime close dlopen dlsym execvp fcntl flock free getpid
  malloc memcmp memcpy memmove memset nanosleep open raise realloc rename sigaction sigemptyset
  sigfillset strlen syscall sysconf unlink
  pthread_attr_destroy pthread_attr_init pthread_attr_setdetachstate pthread_attr_setstacksize
  pthread_cancel pthread_create pthread_key_create pthread_mutex_lock pthread_mutex_trylock
  pthread_mutex_unlock pthread_once pthread_self pthread_setcancelstate pthread_setcanceltype
  pthread_setspecific pthread_sigmask`.split(/\s+/),
);
const IMPORTS_OF_64_BITS = new Set(['fstatfs', 'ftruncate', 'pread', 'pwrite', 'statfs']);

function readelf(...args) {
  return execFileSync('readelf', ['-W', ...args], { encoding: 'utf8', maxBuffer: 1 << 26 });
}

/** What is wrong with a file, as far as it tells by itself. */
function* faults(target, file) {
  const { machine, page } = TARGETS[target];
  const header = readelf('-h', file);
  if (!header.includes(`Machine:                           ${machine}\n`)) {
    yield 'is for another processor';
  }
  const wide = header.includes('ELF64');

  const symbols = readelf('--dyn-syms', file)
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([number, , , type, , , , name]) => {
      return /^\d+:$/.test(number) && type !== 'SECTION' && name !== undefined;
    })
    .map(([, , , , , , section, name]) => ({ name, defined: section !== 'UND' }));
  const versions = symbols.filter(({ name }) => name.includes('@'));
  if (versions.length > 0) yield `asks for ${versions.map(({ name }) => name).join(', ')}`;
  const exported = symbols.filter(({ defined }) => defined).map(({ name }) => name);
  if (exported.sort().join() !== EXPORTS.join()) yield `exports ${exported.join(', ')}`;
  const foreign = symbols
    .filter(({ name, defined }) => !defined && !/^napi_[a-z_0-9]+$/.test(name))
    .filter(({ name }) => !IMPORTS.has(name) && !(wide && IMPORTS_OF_64_BITS.has(name)))
    .map(({ name }) => name);
  if (foreign.length > 0) yield `asks for ${foreign.join(', ')}`;

  const dynamic = readelf('-d', file);
  if (/NEEDED/.test(dynamic)) yield 'names a library that it needs';
  if (!/NODELETE/.test(dynamic) || !/BIND_NOW|NOW/.test(dynamic)) {
    yield 'is not linked with -z now -z nodelete';
  }
  if (/INIT_ARRAY/.test(dynamic)) yield 'runs code when it is loaded';
  const segments = readelf('-l', file);
  if (/GNU_STACK\s.*\sRWE\s/.test(segments)) yield 'wants a stack that can be executed';
  for (const [, align] of segments.matchAll(/^\s+LOAD\s.*0x([0-9a-f]+)$/gm)) {
    if (Number.parseInt(align, 16) < page) yield 'is not aligned to the largest pages';
  }
  if (/ \.(symtab|debug_info) /.test(readelf('-S', file))) yield 'is not stripped';
  const { size } = statSync(file);
  if (size >= LIMIT) yield `has ${size} bytes, ${LIMIT} or more`;
}

const problems = [];
const folder = mkdtempSync(join(tmpdir(), 'holdfast-check-'));
try {
  const sums = [];
  for (const target of readdirSync(join(root, 'prebuilds')).sort()) {
    const place = placeOf(target);
    const file = join(root, place);
    if (target === 'SHA256SUMS') continue;
    if (TARGETS[target] === undefined || !existsSync(file)) {
      problems.push(`prebuilds/${target} is not known to scripts/native.mjs`);
      continue;
    }
    sums.push(`${hashOf(file)}  ${target}/holdfast.node\n`);
    const { script } = TARGETS[target];
    if (script !== undefined) {
      // It says what it finds. Without its compiler the sum is all there is.
      const args = [join(root, script), '--check'];
      const run = hasCompiler(target)
        ? spawnSync(process.execPath, args, { stdio: 'inherit' })
        : null;
      if (run !== null && run.status !== 0) problems.push(`${place} is not as it should be`);
      continue;
    }
    const found = [...faults(target, file)];
    const rebuilt = target === 'linux-x64' || hasCompiler(target);
    if (rebuilt) {
      const again = join(folder, target);
      build(target, again);
      if (hashOf(again) !== hashOf(file)) {
        found.push(
          `differs from what the sources make: run "npm run prebuild -- ${target}" and commit it`,
        );
      }
    }
    problems.push(...found.map((fault) => `${place} ${fault}`));
    if (found.length === 0) {
      const how = rebuilt ? 'as the sources make it' : 'not rebuilt, for want of its compiler';
      console.log(
        `${place} ${hashOf(file).slice(0, 16)}: ${how}, 2 exports, no library named, ${statSync(file).size} bytes`,
      );
    }
  }
  for (const target of Object.keys(TARGETS)) {
    if (!existsSync(join(root, placeOf(target)))) problems.push(`${placeOf(target)} is missing`);
  }
  const list = join(root, 'prebuilds', 'SHA256SUMS');
  if (!existsSync(list) || readFileSync(list, 'utf8') !== sums.join('')) {
    problems.push('prebuilds/SHA256SUMS does not say what is there: run "npm run prebuild -- all"');
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exit(1);
