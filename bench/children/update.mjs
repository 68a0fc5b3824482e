// Updates of one JSON file by one contestant: `update.mjs NAME FILE`. A command on
// stdin is `["cpu", COUNT]`, answered with the microseconds of CPU an update took, or
// `["for", MILLISECONDS]`, answered with how long each of the updates took.
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { peerPath } from '../prepare.mjs';

const [name, file] = process.argv.slice(2);
const require = createRequire(import.meta.url);

const add = (settings) => ({ ...settings, n: settings.n + 1 });

const contestants = {
  async holdfast() {
    const { updateJson } = await import('holdfast/update');
    return () => updateJson(file, add);
  },
  // What people write with the two packages; the retries as in bench/crash.mjs.
  async peers() {
    const lockfile = require(peerPath('proper-lockfile'));
    const writeFileAtomic = require(peerPath('write-file-atomic'));
    const retries = { retries: 100_000, minTimeout: 10, maxTimeout: 50 };
    return async () => {
      const release = await lockfile.lock(file, { retries });
      try {
        const settings = add(JSON.parse(await readFile(file, 'utf8')));
        await writeFileAtomic(file, `${JSON.stringify(settings, null, 2)}\n`);
      } finally {
        await release();
      }
    };
  },
};

const update = await contestants[name]();

const commands = {
  async cpu(count) {
    const before = process.cpuUsage();
    for (let done = 0; done < count; done++) await update();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / count;
  },
  async for(milliseconds) {
    const taken = [];
    const end = performance.now() + milliseconds;
    for (let start = performance.now(); start < end; start = performance.now()) {
      await update();
      taken.push(performance.now() - start);
    }
    return taken;
  },
  count: () => JSON.parse(readFileSync(file, 'utf8')).n,
};

for await (const line of createInterface({ input: process.stdin })) {
  const [command, argument] = JSON.parse(line);
  console.log(JSON.stringify(await commands[command](argument)));
}
