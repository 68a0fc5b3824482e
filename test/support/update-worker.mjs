// Adds to a counter in a file again and again, and says each time that it has.
import { writeSync } from 'node:fs';

const { updateJson } = await import(new URL('../../dist/update.js', import.meta.url).href);
const [path, name, times, options] = process.argv.slice(2);

for (let left = Number(times); left > 0; left--) {
  await updateJson(path, JSON.parse(options), (old = {}) => {
    const [whole, own] = [old.whole ?? 0, old[name] ?? 0];
    return { ...old, whole: whole + 1, [name]: own + 1, pad: 'x'.repeat(whole % 9000) };
  });
  // Before the next one begins: what was said has happened.
  writeSync(1, '+');
}
