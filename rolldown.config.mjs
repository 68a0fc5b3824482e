// tsc checks and writes the types; this makes the JavaScript of the package.
// Fewer files, because loading one takes Node about a millisecond, and a
// program that only wants a lock would load fourteen.
import { rmSync } from 'node:fs';
import { defineConfig } from 'rolldown';

rmSync('dist', { recursive: true, force: true });

export default defineConfig({
  input: { index: 'src/index.ts', 'cli/holdfast': 'src/cli/holdfast.ts' },
  platform: 'node',
  external: ['node-gyp-build', 'cli-table3'],
  output: {
    dir: 'dist',
    format: 'esm',
    // Beside index.js: binding.ts looks for the addon from there.
    chunkFileNames: '[name].js',
    comments: false,
    // All that is no command of its own is one file.
    codeSplitting: { groups: [{ name: 'core', test: /src\/[\w-]+\.ts$/ }] },
  },
});
