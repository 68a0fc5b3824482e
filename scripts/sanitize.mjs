// Builds the addon with sanitizers and runs the smoke test and the native stress
// on the stock Node with it. Before that it runs planted bugs, and the sanitizers
// must find each of them:
//   npm run test:sanitize [-- address|thread]
import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

// The stock Node is not instrumented, so its own threads seem to race, and what
// its heap points to seems to leak. So the sanitizers log everything and set no
// exit code; only reports about code of the addon count.
const KINDS = {
  address: {
    flags: 'address,undefined',
    libraries: ['libasan.so', 'libubsan.so'],
    nodeArguments: [],
    environment: (log) => ({
      // Names the module of each frame, as ThreadSanitizer does.
      ASAN_OPTIONS: `stack_trace_format='    #%n %p in %f %S %M':detect_leaks=1:halt_on_error=1:exitcode=0:log_path=${log}`,
      UBSAN_OPTIONS: `halt_on_error=1:print_stacktrace=1:exitcode=66`,
    }),
    faults: (report) => [
      ...(/ERROR: AddressSanitizer|runtime error:/.test(report) ? [report] : []),
      ...report
        .split('\n\n')
        .filter((section) => /^(Direct|Indirect) leak/m.test(section) && isOfTheAddon(section)),
    ],
    planted: {
      'heap overflow': /AddressSanitizer: heap-buffer-overflow/,
      'use after free': /AddressSanitizer: heap-use-after-free/,
      leak: /Direct leak of 4711 byte/,
      'signed overflow': /runtime error: signed integer overflow/,
      'misaligned access': /runtime error: load of misaligned address/,
    },
  },
  thread: {
    flags: 'thread',
    libraries: ['libtsan.so'],
    nodeArguments: ['--single-threaded-gc'],
    environment: (log) => ({
      TSAN_OPTIONS: `halt_on_error=0:exitcode=0:log_path=${log}`,
    }),
    faults: (report) =>
      report
        .split('==================')
        .filter((block) =>
          block
            .split('\n\n')
            .some(
              (section) =>
                /(read|write) of size|mutex|signal|destroy/i.test(section.split('\n')[0]) &&
                isOfTheAddon(section),
            ),
        ),
    planted: { race: /ThreadSanitizer: data race/ },
  },
};

/** Whether code of the addon made the access or the allocation. */
function isOfTheAddon(section) {
  const frames = section.split('\n').filter((line) => /^\s+#\d/.test(line));
  const first = frames.find((line) => !/lib(asan|tsan|ubsan|sanitizer)/.test(line));
  return first?.includes('holdfast.node') === true;
}

function sharedLibrary(name) {
  return execFileSync('gcc', [`-print-file-name=${name}`], { encoding: 'utf8' }).trim();
}

/** Runs a script of test/ with the addon in `folder`. */
function run(kind, folder, script, args = []) {
  const { libraries, nodeArguments, environment, faults } = KINDS[kind];
  const reports = mkdtempSync(join(folder, 'reports-'));
  const { status, signal, stdout, stderr } = spawnSync(
    process.execPath,
    [...nodeArguments, join(root, 'test', script), ...args],
    {
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
      timeout: 300_000,
      env: {
        ...process.env,
        HOLDFAST_PREBUILD: folder,
        LD_PRELOAD: libraries.map(sharedLibrary).join(':'),
        ...environment(join(reports, 'report')),
      },
    },
  );
  const texts = readdirSync(reports).map((name) => readFileSync(join(reports, name), 'utf8'));
  // Together with another one, UndefinedBehaviorSanitizer has no log of its own.
  return { status, signal, output: stdout + stderr, found: [...texts, stderr].flatMap(faults) };
}

/** Checks that the sanitizers find each planted bug, and nothing without a bug. */
function checkPlanted(kind, folder) {
  const { flags, planted } = KINDS[kind];
  const place = join(folder, 'planted');
  mkdirSync(place);
  const file = join(place, 'holdfast.node');
  const { include_dir } = createRequire(import.meta.url)('node-api-headers');
  const source = join(root, 'test', 'native', 'sanitize-planted.cc');
  const compile = ['-std=c++17', '-shared', '-fPIC', '-O1', '-g', '-fno-omit-frame-pointer'];
  const output = [`-fsanitize=${flags}`, `-I${include_dir}`, source, '-o', file];
  execFileSync('g++', [...compile, ...output], { stdio: 'inherit' });
  for (const [bug, expected] of [['nothing'], ...Object.entries(planted)]) {
    const { found } = run(kind, place, 'native/sanitize-planted.mjs', [file, bug]);
    const bites =
      expected === undefined ? found.length === 0 : found.some((each) => expected.test(each));
    if (bites) continue;
    throw new Error(`${flags}: planted ${bug}, found ${found.join('\n') || 'nothing'}`);
  }
  console.log(`found under ${flags}: ${Object.keys(planted).join(', ')}`);
}

function check(kind) {
  const { flags } = KINDS[kind];
  const folder = mkdtempSync(join(tmpdir(), `holdfast-${kind}-`));
  try {
    checkPlanted(kind, folder);
    for (const name of ['binding.gyp', 'package.json', 'src-native']) {
      cpSync(join(root, name), join(folder, name), { recursive: true });
    }
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    const gyp = join(root, 'node_modules', '.bin', 'node-gyp');
    const options = { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] };
    const quiet = ['--silent', '--target=20.19.0'];
    // Also with slots of the table that are soon used up.
    const defines = [`-Dsanitize=${flags}`, '-Dfirst_generation=4294967290'];
    execFileSync(gyp, ['configure', ...quiet, '--', ...defines], options);
    execFileSync(gyp, ['build', ...quiet], options);
    for (const script of ['smoke.mjs', 'native/stress.mjs']) {
      const { status, signal, output, found } = run(kind, folder, script);
      process.stdout.write(output);
      if (found.length > 0) throw new Error(`${script} under ${flags}:\n${found.join('\n')}`);
      if (status !== 0) throw new Error(`${script} under ${flags}: ${signal ?? `exit ${status}`}`);
    }
    console.log(`clean under ${flags}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const kinds = process.argv.slice(2);
for (const kind of kinds.length > 0 ? kinds : Object.keys(KINDS)) check(kind);
