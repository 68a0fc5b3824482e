// One warm cycle between two marks, for strace: `trace.mjs FILE plain|json`.
import { existsSync } from 'node:fs';
import { FileLock } from 'holdfast';

const [file, kind] = process.argv.slice(2);
const options = kind === 'plain' ? { record: false } : {};
FileLock.acquireSync(file, options).releaseSync();
existsSync('/bench-mark-begin');
FileLock.acquireSync(file, options).releaseSync();
existsSync('/bench-mark-end');
