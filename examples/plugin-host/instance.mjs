// Runs the plugin in this worker thread or process.
import { parentPort } from 'node:worker_threads';
import { startPlugin } from './plugin.mjs';

const [id, folder] = process.argv.slice(2);
const host = parentPort ?? process;

function tell(message) {
  if (parentPort !== null) parentPort.postMessage(message);
  else if (process.connected) process.send(message);
}

async function stop() {
  await plugin.stop();
  if (parentPort !== null) parentPort.close();
  else process.disconnect();
}

// A thread ends with its host anyway.
if (parentPort === null) process.once('disconnect', () => process.exit());
const plugin = await startPlugin(id, folder, { onPrimary: (term) => tell({ primary: term }) });
host.on('message', (message) => {
  if (message === 'stop') void stop();
  else plugin.tick(message);
});
tell('joined');
