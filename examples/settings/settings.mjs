// One settings file that several programs change: node settings.mjs FILE [KEY [VALUE]]
import { readFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { updateJson } from 'holdfast/update';

/** Readers need no lock: the file is always whole. */
export async function read(file) {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT') return {};
    throw error;
  }
}

/** Sets a key and keeps what others set meanwhile. Settings may be secret: 0o600. */
export function set(file, key, value) {
  const options = { timeout: 10_000, permissions: 0o600 };
  return updateJson(file, options, (settings = {}) => ({ ...settings, [key]: value }));
}

/** Adds to a number, which a read and a write without a lock would lose. */
export function add(file, key, amount = 1) {
  return updateJson(file, { timeout: 10_000 }, (settings = {}) => {
    settings[key] = (settings[key] ?? 0) + amount;
    return settings;
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [file, key, value] = process.argv.slice(2);
  try {
    if (file === undefined) throw new Error('usage: settings.mjs FILE [KEY [VALUE]]');
    const settings = value === undefined ? await read(file) : await set(file, key, value);
    console.log(key === undefined ? JSON.stringify(settings) : settings[key]);
  } catch (error) {
    console.error(`settings: ${error.message}`);
    process.exitCode = 1;
  }
}
