// The code of 0.1.0, built from the history of this repository, to be compared
// with. Without the history (a shallow clone, a tarball) it is skipped.
import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

// The tag, and for clones without tags a commit with the same code.
const REVISIONS = ['v0.1.0', '1173807'];
const ROOT = fileURLToPath(new URL('..', import.meta.url));

function find() {
  return REVISIONS.find((revision) => {
    try {
      const commit = ['rev-parse', '--quiet', '--verify', `${revision}^{commit}`];
      execFileSync('git', commit, { cwd: ROOT, stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  });
}

/** `{ claims }`, the address of its `holdfast/claims`, or `{ reason }`. */
export function buildFirstRelease(folder) {
  const revision = find();
  if (revision === undefined) return { reason: 'the history of this clone lacks 0.1.0' };
  const target = join(folder, '0.1.0');
  mkdirSync(target);
  const archive = ['archive', revision, 'package.json', 'scripts', 'src'];
  const input = execFileSync('git', archive, { cwd: ROOT, maxBuffer: 2 ** 28 });
  execFileSync('tar', ['-x', '-C', target], { input });
  symlinkSync(join(ROOT, 'node_modules'), join(target, 'node_modules'));
  execFileSync(process.execPath, ['scripts/bundle.mjs'], { cwd: target, stdio: ['ignore', 2, 2] });
  return { claims: pathToFileURL(join(target, 'dist/claims.js')).href };
}
