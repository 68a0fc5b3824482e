import { open, readFile, rename, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/**
 * Handles one prompt: `hello.md` gets a `hello.result.json` beside it, with its
 * title and the number of its words. `null`: that is there already.
 */
export async function answer(file) {
  const name = `${basename(file, '.md')}.result.json`;
  const target = join(dirname(file), name);
  const prompt = await open(file);
  try {
    // Read the time before the content: a prompt that is written meanwhile has
    // another time afterwards, and is handled again.
    const { mtimeMs, size } = await prompt.stat();
    const done = await readFile(target, 'utf8')
      .then(JSON.parse)
      .catch(() => null);
    if (done?.prompt?.mtimeMs === mtimeMs && done.prompt.size === size) return null;
    const text = await prompt.readFile('utf8');
    const title = /^#\s+(.+)$/m.exec(text)?.[1] ?? null;
    const words = text.split(/\s+/).filter((word) => word !== '').length;
    // Never leaves half a result, even if it is killed.
    const draft = join(dirname(file), `.${name}.tmp`);
    const result = { title, words, prompt: { mtimeMs, size } };
    await writeFile(draft, `${JSON.stringify(result)}\n`);
    await rename(draft, target);
    return name;
  } finally {
    await prompt.close();
  }
}
