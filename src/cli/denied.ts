import { lstatSync } from 'node:fs';
import { dirname } from 'node:path';
import { oneLine } from '../base/holder.js';

/**
 * After EACCES: whose file or folder refuses, as ` (FILE belongs to …)`, so
 * that the reader knows what to change. Empty for other errors.
 */
export function whoDenies(error: unknown): string {
  const { code, path } = error as { code?: unknown; path?: unknown };
  const user = process.geteuid?.();
  if (code !== 'EACCES' || typeof path !== 'string' || user === undefined) return '';
  // The deepest that can be seen: what is below it is missing or hidden by it.
  for (let each = path; ; each = dirname(each)) {
    try {
      const { uid, gid, mode } = lstatSync(each);
      const bits = (mode & 0o7777).toString(8).padStart(4, '0');
      return ` (${oneLine(each)} belongs to uid ${uid}, gid ${gid}, mode ${bits}; this process is uid ${user})`;
    } catch {
      if (dirname(each) === each) return '';
    }
  }
}
