// `import.mjs FILE`: milliseconds of CPU by which `import 'holdfast'` takes longer
// than the import of an empty module, the loader being warm in both cases, and
// those of the first lock after it. Nothing else is loaded, so that it pays for
// the modules of Node that it needs. children/require.cjs does the same for peers.
const [file] = process.argv.slice(2);

async function cost(run) {
  const before = process.cpuUsage();
  const result = await run();
  const { user, system } = process.cpuUsage(before);
  return [(user + system) / 1000, result];
}

await import('./warm.mjs');
// The first name of a package that Node resolves costs a third of our import.
import.meta.resolve('node-gyp-build');
const [nothing] = await cost(() => import('./empty.mjs'));
const [all, { FileLock }] = await cost(() => import('holdfast'));
const [firstLock] = await cost(() => FileLock.acquireSync(file));
console.log(JSON.stringify([all - nothing, firstLock]));
