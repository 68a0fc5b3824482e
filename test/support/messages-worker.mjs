// Starts again and again: it becomes the first instance for a moment, or sends.
// What it writes down is for the oracle: see
// test/instance/messages-storm.test.ts.
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { InstanceLock } from '../../dist/instance.js';

const [folder, path] = process.argv.slice(2);
const note = (file, text) => appendFileSync(`${folder}/${file}`, `${text}\n`);
const me = String(process.pid);

const onMessage = async (message) => {
  note('received', message);
  if (Math.random() < 0.3) await pause(Math.random() * 4);
  return message;
};

async function beFirst(lock) {
  const inside = readFileSync(`${folder}/inside`, 'utf8');
  // The driver notes a kill before it kills.
  if (inside !== '' && !existsSync(`${folder}/killed-${inside}`)) note('two', `${inside} ${me}`);
  writeFileSync(`${folder}/inside`, me);
  note('firsts', me);
  await pause(Math.random() * 25);
  if (readFileSync(`${folder}/inside`, 'utf8') !== me) note('two', `${me} was overwritten`);
  writeFileSync(`${folder}/inside`, '');
  await lock.release();
  // All that was received is answered: nothing is lost with this process.
  if (Math.random() < 0.3) process.exit(0);
  // Let another one be next.
  await pause(Math.random() * 10);
}

for (let count = 0; !existsSync(`${folder}/enough`); count++) {
  const message = `${me}-${count}`;
  const options = { onMessage, timeout: 20_000 };
  const { lock, answer } = await InstanceLock.acquireOrSend(path, message, options);
  if (lock !== undefined) await beFirst(lock);
  else if (answer === message) note('acknowledged', message);
  else note('two', `the answer to ${message} is ${answer}`);
}
