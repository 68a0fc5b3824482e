// Builds the addon under sanitizers and runs the smoke test and the native
// stress on the stock Node with it:
//   npm run test:sanitize [-- address|thread]
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const KINDS = {
  address: {
    flags: 'address,undefined',
    libraries: ['libasan.so', 'libubsan.so'],
    nodeArguments: [],
    environment: () => ({
      ASAN_OPTIONS: 'detect_leaks=0:halt_on_error=1:exitcode=66',
      UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1:exitcode=66',
    }),
  },
  thread: {
    flags: 'thread',
    libraries: ['libtsan.so'],
    nodeArguments: ['--single-threaded-gc'],
    // The stock Node is not instrumented, so what it does among its own
    // threads looks like races: all is logged, and what is the addon's counts.
    environment: (folder) => ({
      TSAN_OPTIONS: `halt_on_error=0:exitcode=0:log_path=${join(folder, 'report')}`,
    }),
  },
};

function sharedLibrary(name) {
  return execFileSync('gcc', [`-print-file-name=${name}`], { encoding: 'utf8' }).trim();
}

/** Reports in which an access was made by code of the addon's. */
function racesOfTheAddon(folder) {
  const reports = readdirSync(folder).filter((name) => name.startsWith('report'));
  const blocks = reports.flatMap((name) =>
    readFileSync(join(folder, name), 'utf8').split('=================='),
  );
  return blocks.filter((block) =>
    block.split('\n\n').some((section) => {
      if (!/(read|write) of size|mutex|signal|destroy/i.test(section.split('\n')[0])) return false;
      const frames = section.split('\n').filter((line) => /^\s+#\d/.test(line));
      return frames.find((line) => !line.includes('libtsan'))?.includes('holdfast.node');
    }),
  );
}

function check(kind) {
  const { flags, libraries, nodeArguments, environment } = KINDS[kind];
  const folder = mkdtempSync(join(tmpdir(), `holdfast-${kind}-`));
  try {
    for (const name of ['binding.gyp', 'package.json', 'src-native']) {
      cpSync(join(root, name), join(folder, name), { recursive: true });
    }
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    const gyp = join(root, 'node_modules', '.bin', 'node-gyp');
    const options = { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] };
    const quiet = ['--silent', '--target=20.19.0'];
    execFileSync(gyp, ['configure', ...quiet, '--', `-Dsanitize=${flags}`], options);
    execFileSync(gyp, ['build', ...quiet], options);
    for (const script of ['smoke.mjs', 'stress.mjs']) {
      const { status, signal } = spawnSync(
        process.execPath,
        [...nodeArguments, join(root, 'test', script)],
        {
          stdio: 'inherit',
          timeout: 300_000,
          env: {
            ...process.env,
            HOLDFAST_PREBUILD: folder,
            LD_PRELOAD: libraries.map(sharedLibrary).join(':'),
            ...environment(folder),
          },
        },
      );
      if (status !== 0) throw new Error(`${script} under ${flags}: ${signal ?? `exit ${status}`}`);
    }
    const races = racesOfTheAddon(folder);
    if (races.length > 0) throw new Error(`races under ${flags}:\n${races.join('\n')}`);
    console.log(`clean under ${flags}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const kinds = process.argv.slice(2);
for (const kind of kinds.length > 0 ? kinds : Object.keys(KINDS)) check(kind);
