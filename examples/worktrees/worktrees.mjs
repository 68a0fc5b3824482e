import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withNextId } from 'holdfast/next-id';

const LOCK = '.wt-create.lock';
const RECORDS = '.wt';

/**
 * Creates the worktree `name` of `trees` with an id that no other has or had.
 * Rejects if the name is taken, and then uses up no id.
 *
 * It works with any kind of lock: the program passes `fileLocker()`, its unit
 * test `memoryLocker()`.
 *
 * Killed at any point, it leaves its draft or its record, never both: a draft has
 * no id yet, and whatever exists under its name must be created again.
 */
export async function create(trees, name, { locker, timeout = 30_000 } = {}) {
  if (!/^\w[\w.-]*$/.test(name)) throw new Error(`'${name}' is not a name for a worktree`);
  const { base } = trees;
  const path = join(base, name);
  const draft = join(base, RECORDS, `${name}.new`);
  const options = { lockName: LOCK, timeout, locker, scan: () => usedIds(base) };
  const { id } = await withNextId(base, options, async (id, { fd }) => {
    if (existsSync(draft)) await trees.discard(path, fd);
    else if (existsSync(path)) throw new Error(`there is a '${name}' already: ${path}`);
    await mkdir(join(base, RECORDS), { recursive: true });
    await writeFile(draft, `${JSON.stringify({ id, name })}\n`);
    try {
      await trees.add(path, fd);
    } catch (error) {
      // git removes what it has created if it fails, but not if it is killed.
      if (!existsSync(path)) await rm(draft, { force: true });
      throw error;
    }
    // From here on it has its id.
    await rename(draft, join(base, RECORDS, `${name}.json`));
  });
  return { id, name, path };
}

/** By id; those that are not finished have none. */
export async function list({ base }) {
  const finished = (await records(base)).map(({ id, name }) => ({ id, name }));
  const drafts = (await names(base, '.new')).map((name) => ({ id: null, name }));
  const begun = new Set(drafts.map(({ name }) => name));
  // The record of one that was removed stays: its id is used up.
  const there = finished.filter(({ name }) => !begun.has(name) && existsSync(join(base, name)));
  return [...there.sort((one, other) => one.id - other.id), ...drafts];
}

async function usedIds(base) {
  return (await records(base)).map(({ id }) => id);
}

async function records(base) {
  const all = await names(base, '.json');
  return Promise.all(
    all.map(async (name) => {
      const file = join(base, RECORDS, `${name}.json`);
      try {
        return JSON.parse(await readFile(file, 'utf8'));
      } catch (cause) {
        // Its id is not known, and so not which is free.
        throw new Error(`cannot read ${file}: ${cause.message}`, { cause });
      }
    }),
  );
}

/** Of the records that end like this. */
async function names(base, end) {
  try {
    const files = await readdir(join(base, RECORDS));
    return files.filter((file) => file.endsWith(end)).map((file) => file.slice(0, -end.length));
  } catch (error) {
    if (error.code === 'ENOENT') return [];
    throw error;
  }
}
