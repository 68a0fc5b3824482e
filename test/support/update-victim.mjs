// Updates a file once, between two marks that a tracer sees in either thread.
import { accessSync } from 'node:fs';
import { access, readFile } from 'node:fs/promises';

const { updateFile } = await import(new URL('../../dist/update.js', import.meta.url).href);

const mark = async (name) => {
  try {
    accessSync(`/holdfast-${name}`);
  } catch {
    // It is only to be seen.
  }
  await access(`/holdfast-${name}`).catch(() => {});
};

process.once('message', async ({ path, warmUp, text, pool }) => {
  // So that the modules, the addon and the thread are there.
  await updateFile(warmUp, () => 'warm');
  await updateFile(warmUp, () => 'warmer');
  process.once('message', async () => {
    await mark('begin');
    await updateFile(path, () => text);
    await mark('end');
    process.send('updated');
  });
  // With UV_THREADPOOL_SIZE=1 there is one thread that reads and writes files.
  const status = await readFile('/proc/thread-self/status', 'utf8');
  process.send(pool ? Number(/^Pid:\s*(\d+)/m.exec(status)?.[1]) : 'ready');
});
process.on('disconnect', () => process.exit());
