import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { basename, delimiter, dirname, join } from 'node:path';
import { shellWord } from '../base/shell-word.js';
import { ownFiles } from '../native/load.js';

/** Where the command is, from this file: in dist, in dist/cli, in src/agents. */
const PLACES = ['cli', '.', '../../dist/cli'];

/**
 * How a shell in this folder runs `holdfast`. A package that is installed in a
 * project is not in the PATH; and npx takes what it does not find from the
 * registry, as in a linked working tree without node_modules.
 */
export function ownCommand(
  folder: string = process.cwd(),
  path: string = process.env['PATH'] ?? '',
): string {
  const inPath = (name: string): boolean =>
    path.split(delimiter).some((each) => each !== '' && isProgram(join(each, name)));
  if (inPath('holdfast')) return 'holdfast';
  const local = join(projectOf(folder), 'node_modules', '.bin', 'holdfast');
  if (inPath('npx') && isProgram(local)) return 'npx holdfast';
  const files = ownFiles().flatMap((file) =>
    PLACES.map((place) => join(dirname(file), place, 'holdfast.js')),
  );
  const file = files.find((each) => existsSync(each));
  if (file === undefined) return 'holdfast';
  // The program of a plugin is its host, which is no Node.
  const isNode = /^node(?:\.exe)?$/.test(basename(process.execPath));
  const node = isNode && !inPath('node') ? shellWord(process.execPath) : 'node';
  return `${node} ${shellWord(file)}`;
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    // A folder of this name, as a clone has it, can be entered, but not run.
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** Where npx looks: the nearest folder that npm takes for a project. */
function projectOf(folder: string): string {
  const isProject = ['package.json', 'node_modules'].some((name) => existsSync(join(folder, name)));
  const above = dirname(folder);
  return isProject || above === folder ? folder : projectOf(above);
}
