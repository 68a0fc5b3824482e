import { sep } from 'node:path';
import { readBounded } from '../base/bounded.js';
import type { NativeBinding } from '../native/binding.js';
import { loadBinding } from '../native/load.js';

// Their contents are in memory together.
const BATCH = 64;

/**
 * The first `limit` bytes of each file in a folder, as Latin-1, one by one;
 * `null` for a file that cannot be read.
 */
export function* readAll(
  folder: string,
  names: readonly string[],
  limit: number,
): Generator<string | null, void, undefined> {
  const native: Partial<NativeBinding> = loadBinding(folder);
  for (let begin = 0; begin < names.length; begin += BATCH) {
    const batch = names.slice(begin, begin + BATCH);
    const contents = native.readFiles?.(folder, batch);
    for (let at = 0; at < batch.length; at++) {
      const content = typeof contents === 'object' ? contents[at] : undefined;
      // It is long, or something is wrong with it, or this platform cannot do it.
      yield typeof content === 'string' ? content : read(`${folder}${sep}${batch[at]}`, limit);
    }
  }
}

function read(path: string, limit: number): string | null {
  try {
    return readBounded(path, limit).toString('latin1');
  } catch {
    return null;
  }
}
