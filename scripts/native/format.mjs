// The format of the C++ sources, by one version of clang-format: each version
// formats a little differently.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root, run } from './common.mjs';

const VERSION = 14;

export const WANTED = `clang-format ${VERSION}, on Debian: apt-get install clang-format-${VERSION}`;

/** The name of the tool here, if it is here in this version. */
export function formatter() {
  return [`clang-format-${VERSION}`, 'clang-format'].find((name) => {
    const { stdout } = spawnSync(name, ['--version'], { encoding: 'utf8' });
    return stdout?.includes(`clang-format version ${VERSION}.`);
  });
}

/** Paths inside the repository. */
function sources() {
  return ['src-native', 'test']
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true }).map((name) => join(folder, name)),
    )
    .filter((name) => /\.(cc|h)$/.test(name))
    .sort();
}

/** The files that the tool would change. */
export function unformatted(tool) {
  return sources().filter((source) => {
    const { status } = spawnSync(tool, ['--dry-run', '--Werror', source], { cwd: root });
    return status !== 0;
  });
}

export function format(tool) {
  run(tool, ['-i', ...sources()]);
}
