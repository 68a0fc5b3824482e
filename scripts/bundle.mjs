// tsc checks and writes the types; this makes the JavaScript of the package.
// Fewer files, because loading one takes Node about a millisecond, and a
// program that only wants a lock would load twenty.
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';

const root = fileURLToPath(new URL('..', import.meta.url));
// The layers on top of the core are loaded by those who ask for them.
const CORE = /src\/(base|native|holders|lock)\//;

rmSync(`${root}dist`, { recursive: true, force: true });
await build({
  cwd: root,
  input: {
    index: 'src/index.ts',
    instance: 'src/instance.ts',
    claims: 'src/claims.ts',
    'next-id': 'src/next-id.ts',
    election: 'src/election.ts',
    testing: 'src/testing.ts',
    'cli/holdfast': 'src/cli/holdfast.ts',
  },
  platform: 'node',
  external: ['node-gyp-build', 'cli-table3'],
  output: {
    dir: 'dist',
    format: 'esm',
    // Beside index.js: load.ts looks for the addon from there.
    chunkFileNames: '[name].js',
    comments: false,
    codeSplitting: {
      groups: [
        // The core is one file.
        { name: 'core', test: CORE },
        // So is what subcommands share, but not the tables, which load a package.
        { name: 'command', test: /src\/cli\/(?!table)/, minShareCount: 2 },
      ],
    },
  },
});
