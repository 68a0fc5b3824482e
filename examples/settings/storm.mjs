// Four processes count in one settings file; one of them is killed half-way. Each
// reports its count, and at the end the file is compared with the reports.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { add, read } from './settings.mjs';

const TIMES = 25;
const KILLED_AFTER = 10;
const NAMES = ['editor', 'terminal', 'updater', 'killed'];

const [role, file] = process.argv.slice(2);
if (role === undefined) await storm();
else await count(file, role);

async function count(file, name) {
  for (let n = 1; n <= TIMES; n++) {
    await add(file, name);
    process.send(n);
  }
  process.disconnect();
}

async function storm() {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-settings-'));
  const file = join(folder, 'settings.json');
  const said = {};
  await Promise.all(
    NAMES.map(async (name) => {
      const child = fork(fileURLToPath(import.meta.url), [name, file]);
      child.on('message', (n) => {
        said[name] = n;
        if (name === 'killed' && n === KILLED_AFTER) child.kill('SIGKILL');
      });
      await once(child, 'close');
    }),
  );
  // Also removes what the killed process may have left.
  const settings = await add(file, 'last');
  const { log } = console;
  let lost = 0;
  for (const name of NAMES) {
    log(`${name}: said ${said[name]}, in the file ${settings[name]}`);
    lost += Math.max(0, said[name] - settings[name]);
  }
  log(`lost: ${lost}`);
  log(`read without a lock: ${Object.keys(await read(file)).length} keys`);
  log(`files: ${(await readdir(folder)).sort().join(', ')}`);
  await rm(folder, { recursive: true });
  process.exitCode = lost === 0 ? 0 : 1;
}
