// Linux: node-gyp builds from binding.gyp, with Debian's cross compilers.
import { copyFileSync, cpSync, existsSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { EXPORTS, inFolder, isThere, placeOf, root, run } from './common.mjs';

// The functions that glibc 2.28 and musl both have, with these names and the same
// meaning. Before adding one, check that this is also true on 32 bits
// (src-native/posix/calls.h). Do not add one of libuv: some runtimes have Node-API
// but not libuv.
const IMPORTS = new Set(
  `__errno_location _exit abort calloc clock_gettime clone close dlopen dlsym dup2 environ execve
  fchmod fcntl flock free getenv geteuid getpid getsockopt malloc memcmp memcpy memmove memset nanosleep open raise read readlink readlinkat
  realloc rename sigaction sigaddset sigemptyset sigfillset snprintf strchr strlen strrchr strtol syscall
  sysconf unlink waitid waitpid
  pthread_attr_destroy pthread_attr_init pthread_attr_setdetachstate pthread_attr_setstacksize
  pthread_cancel pthread_create pthread_detach pthread_exit pthread_join pthread_key_create
  pthread_mutex_lock pthread_mutex_trylock pthread_mutex_unlock pthread_once pthread_self
  pthread_setcancelstate pthread_setcanceltype pthread_setspecific pthread_sigmask`.split(/\s+/),
);
const IMPORTS_OF_64_BITS = new Set(['fstatfs', 'ftruncate', 'pread', 'pwrite', 'statfs']);

/**
 * `prefix` begins the names of the tools, and `debian` is their package. `machine`
 * is readelf's name of the processor. `page` is the largest page that a kernel for
 * it may have: it cannot load a segment with a smaller alignment.
 */
export function linux(processor, { prefix, debian, machine, page }) {
  const target = `linux-${processor}`;
  return {
    lacking() {
      return isThere(`${prefix}g++`) ? null : `${prefix}g++, on Debian: apt-get install ${debian}`;
    },

    build(to) {
      inFolder((folder) => {
        for (const name of ['binding.gyp', 'package.json', 'src-native']) {
          cpSync(join(root, name), join(folder, name), { recursive: true });
        }
        symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
        // Run it by npm, whose configuration knows where Node's headers are. As
        // root, npm runs scripts as the owner of the folder, who may have no
        // access to any other one.
        run('npm', ['run', 'build:native', '--', '--arch', processor], {
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
        copyFileSync(built, to);
      });
    },

    *faults(file) {
      yield* faultsOfElf(file, machine, page);
    },
  };
}

function readelf(...args) {
  return run('readelf', ['-W', ...args]);
}

function* faultsOfElf(file, machine, page) {
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
}
