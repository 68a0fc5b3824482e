import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
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
  const inPath = path.split(delimiter).some((each) => each !== '' && isProgram(each));
  if (inPath) return 'holdfast';
  if (isProgram(join(projectOf(folder), 'node_modules', '.bin'))) return 'npx holdfast';
  const files = ownFiles().flatMap((file) =>
    PLACES.map((place) => join(dirname(file), place, 'holdfast.js')),
  );
  const file = files.find((each) => existsSync(each));
  return file === undefined ? 'holdfast' : `node ${shellWord(file)}`;
}

/** Whether the folder has the command. */
function isProgram(folder: string): boolean {
  try {
    accessSync(join(folder, 'holdfast'), constants.X_OK);
    return true;
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
