// Checks the committed addon: that it is what the sources make, byte for byte
// and from any folder, and that it asks for nothing that an older system or
// another C library lacks.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const addon = join('prebuilds', 'linux-x64', 'holdfast.node');
const problems = [];

function output(command, ...args) {
  return execFileSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 26 });
}

function hash(file) {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

// Exactly two exports, no library by name, no version of any symbol: so there
// is no floor above that of Node itself (glibc 2.28), and musl will do too.
const file = join(root, addon);
const exported = output('nm', '-D', '--defined-only', file)
  .trim()
  .split('\n')
  .map((line) => line.split(' ').at(-1))
  .sort();
const expected = ['napi_register_module_v1', 'node_api_module_get_api_version_v1'];
if (exported.join() !== expected.join()) problems.push(`exports ${exported.join(', ')}`);
const dynamic = output('readelf', '-d', file);
if (/NEEDED/.test(dynamic)) problems.push('names a library that it needs');
if (!/NODELETE/.test(dynamic) || !/BIND_NOW|NOW/.test(dynamic))
  problems.push('is not linked with -z now -z nodelete');
const versions = output('objdump', '-T', file).match(/GLIBC\w*_[\d.]+/g);
if (versions !== null) problems.push(`asks for ${[...new Set(versions)].join(', ')}`);
// libuv is not everywhere where Node-API is; and no C++ library is linked.
const foreign = output('nm', '-D', '--undefined-only', file).match(/ (uv_\w+|_Z\w+|__cxa\w+)/g);
if (foreign !== null) problems.push(`asks for ${foreign.join(', ')}`);

const copy = mkdtempSync(join(tmpdir(), 'holdfast-native-'));
try {
  for (const name of ['binding.gyp', 'package.json', 'src-native']) {
    cpSync(join(root, name), join(copy, name), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  // As root, npm runs scripts as the owner of the folder, who may own nothing else.
  execFileSync('npm', ['run', 'build:native'], {
    cwd: copy,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const built = join(copy, addon);
  if (!existsSync(built)) problems.push('was not built');
  else if (hash(built) !== hash(file)) {
    problems.push('differs from what the sources make: run "npm run build:native" and commit it');
  }
} finally {
  rmSync(copy, { recursive: true, force: true });
}

if (problems.length > 0) {
  for (const problem of problems) console.error(`${addon} ${problem}`);
  process.exit(1);
}
console.log(
  `${addon} ${hash(file).slice(0, 16)}: as the sources make it, 2 exports, no library named`,
);
