// Milliseconds of the first lock of a process: `first-lock.mjs FILE`.
import { FileLock } from 'holdfast';

const start = process.hrtime.bigint();
FileLock.acquireSync(process.argv[2]);
console.log(Number(process.hrtime.bigint() - start) / 1e6);
