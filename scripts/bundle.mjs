// tsc checks and writes the types; this makes the JavaScript of the package.
// Fewer files, because loading one takes Node about a millisecond, and a
// program that only wants a lock would load twenty.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';
import { minify } from 'rolldown/experimental';
import { bundleMcp, MCP_PACKAGES } from './bundle-mcp.mjs';
import { modulesOfNode } from './modules-of-node.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
// Programs load the layers above the core only if they use them.
const CORE = /src\/(base|native|holders|lock)\//;
// What subcommands share: all of src/cli but their own files.
const COMMON =
  /src\/cli\/(?!agent-hosts|claim|doctor|elect|guard|help|lock-url|mcp|next-id|run|status|url-|completion|pages|render)/;
const CLAIM = /src\/(claims\/|agents\/bypass\.|cli\/claim[-.])/;
// What the command needs only to run a program, or when a lock is held, or to
// change claims. Each is loaded when a function of it is called: parsing it
// takes longer than a lock.
const LATE = {
  running:
    /src\/(base\/bursts|holders\/(owner-record|running-process)|lock\/(acquire|file-lock|hold-record|leak-warning|loss-watch|wait)|cli\/(caller|command|waiting-line))\./,
  errors: /src\/(base\/(argument-errors|errors)|(claims|next-id|slots)\/errors)\./,
  waiting:
    /src\/(base\/(callers|make-folders|warning)|native\/load-failure|holders\/(holding-processes|inspect|kernel-tables|kernel-view|pinned-file|snapshot|who-holds)|lock\/(acquiring|adopt|change-hold|descriptor-lock|in-turn|kernel-wait|path-watch|self-wait|waiting|with-lock)|cli\/(refusal|shell-operand|time|who-refuses))\./,
  // For a message that says what to run.
  refusing: /src\/native\/own-command\./,
  // Where a claim has wildcards, or there are many.
  matching: /src\/claims\/(canonical-form|match-path|overlap|prefilter)\./,
  claiming:
    /src\/(claims\/(acquire-claims|admit|braces|change-scope|changes|claim|claim-text|claim-waits|conflict-words|conflicts|edit-journal|existing|foreign|git-clean|gives-way|grant|hand-over|held-claim|journal|journal-text|literal-warning|live-claims|missing|move-to-session|outcome|overlap-search|parts-text|plan|put-file|queue|release-claim|renew-claim|request|resolutions|session-end|set-aside|standstill|want-file|wants|waves|write-claims)|cli\/claim-(board|look|run|watch))\./,
};

// Of the command alone: actions of `claim` that `claim check` is to load no file
// more for. By import(), what they share with it would be files of its own.
const ACTIONS = {
  mcp: /src\/(mcp\/|cli\/mcp\.)/,
  // Of the help and the completions.
  pages: /src\/cli\/(pages\/|render\/inline\.)/,
  acting: /src\/cli\/(claim-(clear|list|look|plan|watch|request|run|board)|guard)\./,
  // For those who are given no name, and only where somebody has the path.
  asking: /src\/(agents\/hosts|claims\/identity|cli\/agent-hosts)\./,
  agents:
    /src\/(cli\/(claim-agents|doctor-hooks)\.|claims\/working-trees\.|agents\/(?!hosts\.|bypass\.))/,
};

// For the file that every program loads: Node parses a tenth less. Its lines and
// the names of its functions stay, for stacks.
const KEPT = { function: true, class: true };
const SHORTER = {
  module: true,
  compress: { keepNames: KEPT },
  mangle: { toplevel: true, keepNames: KEPT },
  codegen: { removeWhitespace: false },
};

// For what is run again and again, each time in a process of its own.
const SHORTEST = { ...SHORTER, module: false, codegen: { removeWhitespace: true } };

// The parser of shell lines is large, and the hook has it in a file of its own.
const SHELL_LINE_OF_HOOK = {
  name: 'shell-line-of-hook',
  resolveId: (source, importer) =>
    source === './shell-line.js' && importer?.endsWith('/agents/hook.ts')
      ? { id: '../hook-shell-line.cjs', external: true }
      : null,
};

rmSync(`${root}dist`, { recursive: true, force: true });
await bundle({
  format: 'esm',
  dir: 'dist',
  input: {
    index: 'src/index.ts',
    instance: 'src/instance.ts',
    claims: 'src/claims.ts',
    'next-id': 'src/next-id.ts',
    election: 'src/election.ts',
    update: 'src/update.ts',
    slots: 'src/slots.ts',
    etcd: 'src/etcd.ts',
    postgres: 'src/postgres.ts',
    testing: 'src/testing.ts',
  },
  // The core is one file, beside index.js: load.ts looks for the addon from there.
  groups: [{ name: 'core', test: CORE }],
});
await shorten(`${root}dist/core.js`, SHORTER);
// The command has its own files, of CommonJS: Node starts its loader for ES
// modules with the first of them, which takes a quarter of the time of `node -e 0`.
await bundle({
  format: 'cjs',
  dir: 'dist/cli',
  input: { holdfast: 'src/cli/holdfast.ts' },
  plugins: [SHELL_LINE_OF_HOOK],
  late: Object.keys({ ...LATE, ...ACTIONS }),
  groups: [
    ...Object.entries({ ...LATE, ...ACTIONS }).map(([name, test]) => ({ name, test, priority: 1 })),
    // In the file of the entry, which Node reads in any case.
    { name: 'holdfast', test: (id) => CORE.test(id) || COMMON.test(id) },
    // In one file: what its actions share with it would be another one.
    { name: 'claims', test: CLAIM },
  ],
});
writeFileSync(`${root}dist/cli/package.json`, '{ "type": "commonjs" }\n');
for (const name of readdirSync(`${root}dist/cli`)) {
  if (name.endsWith('.js')) await shorten(`${root}dist/cli/${name}`, SHORTEST);
}
// What hosts of agents run before each write, or load. Parsing is most of what it
// costs, so the same is left out as in the command, and the parser of shell lines.
const LATE_IN_HOOK = {
  ...LATE,
  claiming: either(LATE.claiming, /src\/claims\/claims\./),
  refusing: /src\/(base\/(holder|shell-word)|agents\/words|native\/own-command)\./,
  plugin: /src\/agents\/process-sessions\./,
};
const HOOK = [
  'hook',
  ...Object.keys(LATE_IN_HOOK).map((name) => `hook-${name}`),
  'hook-shell-line',
];
await bundle({
  format: 'cjs',
  dir: 'dist',
  input: { hook: 'src/agents/hook-file.ts' },
  entryFileNames: '[name].cjs',
  chunkFileNames: ({ name }) => `${name.replace(/^(?!hook-)/, 'hook-')}.cjs`,
  late: HOOK.slice(1),
  extension: 'cjs',
  groups: Object.entries(LATE_IN_HOOK).map(([name, test]) => ({ name: `hook-${name}`, test })),
});
for (const name of HOOK) {
  const file = `${root}dist/${name}.cjs`;
  if (existsSync(file)) await shorten(file, SHORTEST);
}
await bundleMcp(root);

function either(one, other) {
  return new RegExp(`${one.source}|${other.source}`);
}

async function shorten(file, options) {
  const { code, errors } = await minify(file, readFileSync(file, 'utf8'), options);
  if (errors.length > 0) throw new AggregateError(errors, `${file} cannot be shortened`);
  writeFileSync(file, inAscii(code));
}

/** One other character makes V8 keep two bytes for each: Node then reads and parses the file slower. */
function inAscii(code) {
  return code.replace(/[\u0080-\uffff]/g, (unit) => {
    return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

async function bundle({
  format,
  dir,
  input,
  groups,
  late = [],
  plugins = [],
  extension = 'js',
  ...names
}) {
  // A group with late parts leaves out what its files import.
  const isWhole = late.length === 0;
  mkdirSync(`${root}${dir}`, { recursive: true });
  await build({
    cwd: root,
    input,
    platform: 'node',
    external: ['node-gyp-build', 'cli-table3', 'pg'],
    plugins: [
      ...plugins,
      MCP_PACKAGES,
      modulesOfNode(late.map((name) => `./${name}.${extension}`)),
    ],
    ...(isWhole ? {} : { preserveEntrySignatures: 'allow-extension' }),
    output: {
      dir,
      format,
      chunkFileNames: '[name].js',
      ...names,
      comments: false,
      ...(groups.length > 0 && {
        codeSplitting: { groups, includeDependenciesRecursively: isWhole },
      }),
    },
  });
}
