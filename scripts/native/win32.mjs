// Windows: Debian's mingw-w64 compiles.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EXPORTS, FLAGS, headers, inFolder, isThere, run, SHARED_SOURCES } from './common.mjs';

// Every Windows has these.
const LIBRARIES = ['KERNEL32.dll', 'msvcrt.dll', 'ntdll.dll'];
const TOOLS = 'x86_64-w64-mingw32-';
const SOURCES = [
  ...SHARED_SOURCES,
  'remove.cc',
  'child-none.cc',
  'look-none.cc',
  'wait-poll.cc',
  'windows/errors.cc',
  'windows/file.cc',
  'windows/lock.cc',
  'windows/path.cc',
  'windows/process.cc',
  'windows/program.cc',
  'windows/module.cc',
];

export const win32 = {
  lacking() {
    const there = isThere(`${TOOLS}g++-posix`);
    return there ? null : `${TOOLS}g++, on Debian: apt-get install g++-mingw-w64-x86-64`;
  },

  build(to) {
    inFolder((folder) => {
      // The functions of the host; the loader finds each at its first call.
      const library = join(folder, 'libnode.a');
      const definitions = join(folder, 'node.def');
      const symbols = [...new Set(Object.values(headers.def_paths).flatMap(symbolsOf))];
      writeFileSync(definitions, `LIBRARY node.exe\nEXPORTS\n${symbols.join('\n')}\n`);
      run(`${TOOLS}dlltool`, ['--input-def', definitions, '--output-delaylib', library]);
      // napi.h needs a std::mutex, and the other variant lacks it.
      run(`${TOOLS}g++-posix`, [
        '-shared',
        ...FLAGS,
        // Windows 10.
        '-D_WIN32_WINNT=0x0A00',
        '-Isrc-native/windows',
        ...SOURCES.map((source) => `src-native/${source}`),
        // libstdc++ is not linked (runtime.cc), the other libraries statically.
        '-nodefaultlibs',
        '-static',
        '-Wl,--gc-sections',
        '-Wl,--no-insert-timestamp',
        // Otherwise it depends on the name of the output.
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
        to,
      ]);
    });
  },

  *faults(file) {
    const text = run(`${TOOLS}objdump`, ['-p', file]);
    const libraries = [...text.matchAll(/DLL Name: (\S+)/g)].map((match) => match[1]);
    const foreign = libraries.filter((name) => !LIBRARIES.includes(name));
    if (foreign.length > 0) yield `needs ${foreign.join(', ')}`;
    const table = text.slice(text.indexOf('[Ordinal/Name Pointer] Table'));
    const line = /^\s+\[\s*\d+\]\s+(?:\+base\[\s*\d+\]\s+\S+\s+)?(\w+)$/gm;
    const exported = [...table.matchAll(line)].map((match) => match[1]).sort();
    if (exported.join() !== EXPORTS.join()) yield `exports ${exported.join(', ')}`;
  },
};

function symbolsOf(file) {
  const lines = readFileSync(file, 'utf8').split(/\r?\n/);
  return lines.slice(lines.indexOf('EXPORTS') + 1).filter((line) => line !== '');
}
