// Makes prebuilds/win32-x64/holdfast.node with Debian's mingw-w64, the same
// bytes from any folder. With --check nothing is written: the committed file is
// compared with what the sources make.
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MOST_BYTES = 100_000;
// What every Windows has.
const LIBRARIES = ['KERNEL32.dll', 'msvcrt.dll', 'ntdll.dll'];
const EXPORTS = ['napi_register_module_v1', 'node_api_module_get_api_version_v1'];

const root = fileURLToPath(new URL('..', import.meta.url));
const require = createRequire(import.meta.url);
const headers = require('node-api-headers');
const target = join(root, 'prebuilds', 'win32-x64', 'holdfast.node');
const checking = process.argv.includes('--check');

const TOOLS = 'x86_64-w64-mingw32';
const SOURCES = [
  'addon.cc',
  'table.cc',
  'file-win.cc',
  'process-win.cc',
  'wait-win.cc',
  'windows/module.cc',
  'runtime.cc',
];
const DEFINES = [
  'NAPI_VERSION=8',
  'NODE_ADDON_API_DISABLE_DEPRECATED',
  'NODE_ADDON_API_DISABLE_CPP_EXCEPTIONS',
  'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS',
  // Windows 10.
  '_WIN32_WINNT=0x0A00',
];

function run(tool, ...args) {
  try {
    return execFileSync(`${TOOLS}-${tool}`, args, { cwd: root, encoding: 'utf8' });
  } catch (error) {
    // The tool has said what is wrong.
    const missing = `there is no ${TOOLS}-${tool}: apt-get install g++-mingw-w64-x86-64`;
    throw new Error(error.code === 'ENOENT' ? missing : `${TOOLS}-${tool} failed`);
  }
}

const folder = mkdtempSync(join(tmpdir(), 'holdfast-win32-'));
const problems = [];
try {
  // What the host exports, to be looked for when it is first called.
  const library = join(folder, 'libnode.a');
  const definitions = join(folder, 'node.def');
  const symbols = [...new Set(Object.values(headers.def_paths).flatMap(symbolsOf))];
  writeFileSync(definitions, `LIBRARY node.exe\nEXPORTS\n${symbols.join('\n')}\n`);
  run('dlltool', '--input-def', definitions, '--output-delaylib', library);

  const built = join(folder, 'holdfast.node');
  run(
    // napi.h wants a std::mutex, which the other variant does not have.
    'g++-posix',
    '-shared',
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
    `-ffile-prefix-map=${root}=./`,
    ...DEFINES.map((define) => `-D${define}`),
    `-I${headers.include_dir}`,
    `-I${join(root, 'node_modules', 'node-addon-api')}`,
    '-Isrc-native/windows',
    ...SOURCES.map((source) => `src-native/${source}`),
    // libstdc++ is not linked (runtime.cc), the rest not by its DLL.
    '-nodefaultlibs',
    '-static',
    '-Wl,--gc-sections',
    '-Wl,--no-insert-timestamp',
    // Else it is made of the name of the output.
    '-Wl,--image-base=0x180000000',
    '-Wl,--dynamicbase,--high-entropy-va,--nxcompat',
    '-Wl,--exclude-all-symbols',
    '-s',
    library,
    '-lmingw32',
    '-lgcc',
    '-lmoldname',
    '-lmingwex',
    '-lmsvcrt',
    '-lntdll',
    '-lkernel32',
    '-o',
    built,
  );
  check(built);
  if (problems.length === 0 && !checking) {
    mkdirSync(join(target, '..'), { recursive: true });
    copyFileSync(built, target);
  }
  const same = existsSync(target) && readFileSync(built).equals(readFileSync(target));
  if (!same) problems.push('differs from what the sources make: run "npm run build:win32"');
} finally {
  rmSync(folder, { recursive: true, force: true });
}
if (problems.length > 0) {
  for (const problem of problems) console.error(`prebuilds/win32-x64/holdfast.node ${problem}`);
  process.exit(1);
}
console.log(`prebuilds/win32-x64/holdfast.node: ${statSync(target).size} bytes, 2 exports`);

function symbolsOf(file) {
  const lines = readFileSync(file, 'utf8').split(/\r?\n/);
  return lines.slice(lines.indexOf('EXPORTS') + 1).filter((line) => line !== '');
}

function check(file) {
  const { size } = statSync(file);
  if (size > MOST_BYTES) problems.push(`has ${size} bytes`);
  const text = run('objdump', '-p', file);
  const libraries = [...text.matchAll(/DLL Name: (\S+)/g)].map((match) => match[1]);
  const foreign = libraries.filter((name) => !LIBRARIES.includes(name));
  if (foreign.length > 0) problems.push(`needs ${foreign.join(', ')}`);
  const table = text.slice(text.indexOf('[Ordinal/Name Pointer] Table'));
  const exported = [...table.matchAll(/^\s+\[\s*\d+\]\s+(?:\+base\[\s*\d+\]\s+\S+\s+)?(\w+)$/gm)];
  const names = exported.map((match) => match[1]).sort();
  if (names.join() !== EXPORTS.join()) problems.push(`exports ${names.join(', ')}`);
}
