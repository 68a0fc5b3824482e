// `import.mjs NAME FILE`: milliseconds of CPU by which `import 'holdfast'`, or
// `require` of a peer, takes longer than that of an empty module, the loader being
// warm in both cases; and, of Holdfast, those of the first lock after it.
import { createRequire } from 'node:module';
import { peerPath } from '../prepare.mjs';

const [name, file] = process.argv.slice(2);
const require = createRequire(import.meta.url);

async function cost(run) {
  const before = process.cpuUsage();
  const result = await run();
  const { user, system } = process.cpuUsage(before);
  return [(user + system) / 1000, result];
}

if (name === 'holdfast') {
  await import('./warm.mjs');
  const [nothing] = await cost(() => import('./empty.mjs'));
  const [all, { FileLock }] = await cost(() => import('holdfast'));
  const [firstLock] = await cost(() => FileLock.acquireSync(file));
  console.log(JSON.stringify([all - nothing, firstLock]));
} else {
  require('./warm.cjs');
  const [nothing] = await cost(() => require('./empty.cjs'));
  const [all] = await cost(() => require(peerPath(name)));
  console.log(JSON.stringify([all - nothing]));
}
