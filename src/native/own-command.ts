import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { basename, delimiter, dirname, join, sep } from 'node:path';
import { readText } from '../base/bounded.js';
import { shellWord } from '../base/shell-word.js';
import { ownFiles } from './load.js';

/** Where the command is, from this file: in dist, in dist/cli, in src/native. */
const PLACES = ['cli', '.', '../../dist/cli'];

/** npm, pnpm and yarn have these in the PATH of what they run; the reader's shell has not. */
const OF_PACKAGES = /[/\\]node_modules[/\\]\.bin[/\\]?$/;

/**
 * How a shell in this folder runs `holdfast`, for messages. A package that is
 * installed in a project is not in the PATH; and npx takes what it does not find
 * from the registry, as in a linked working tree without node_modules.
 */
export function ownCommand(
  folder: string | null = workingFolder(),
  path: string = process.env['PATH'] ?? '',
): string {
  const places = path.split(delimiter).filter((each) => each !== '' && !OF_PACKAGES.test(each));
  const inPath = (name: string): boolean => places.some((each) => isProgram(join(each, name)));
  if (inPath('holdfast')) return 'holdfast';
  const files = ownFiles().flatMap((file) =>
    PLACES.map((place) => join(dirname(file), place, 'holdfast.js')),
  );
  const file = files.find(exists);
  if (inPath('npx') && ((folder !== null && npxFinds(folder)) || isRunByNpx(file)))
    return 'npx holdfast';
  if (file === undefined) return 'holdfast';
  // The program of a plugin is its host, which is no Node.
  const isNode = /^node(?:\.exe)?$/.test(basename(process.execPath));
  const node = isNode && !inPath('node') ? shellWord(process.execPath) : 'node';
  return `${node} ${shellWord(file)}`;
}

/** `null`: it has been removed. The message says then what it is about all the same. */
function workingFolder(): string | null {
  try {
    return process.cwd();
  } catch {
    return null;
  }
}

/** Under the permission model, existsSync throws. */
function exists(path: string): boolean {
  try {
    return existsSync(path);
  } catch {
    return false;
  }
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

function npxFinds(folder: string): boolean {
  const project = projectOf(folder);
  // In a folder of a workspace, npm runs everything in the workspace's top: a
  // relative path would be another file.
  if (folder !== project && isInWorkspaces(project)) return false;
  // As npm 8 and later do.
  return upwards(project).some((each) => isProgram(join(each, 'node_modules', '.bin', 'holdfast')));
}

/** The nearest folder that npm takes for a project. */
function projectOf(folder: string): string {
  const isProject = (each: string): boolean =>
    ['package.json', 'node_modules'].some((name) => exists(join(each, name)));
  return upwards(folder).find(isProject) ?? folder;
}

/** Perhaps one of them: which folders a pattern names, only npm knows. */
function isInWorkspaces(project: string): boolean {
  return upwards(dirname(project)).some((each) => hasWorkspaces(join(each, 'package.json')));
}

function hasWorkspaces(file: string): boolean {
  try {
    return readText(file).includes('"workspaces"');
  } catch {
    return false;
  }
}

/** The folder and all above it. */
function upwards(folder: string): string[] {
  const above = dirname(folder);
  return above === folder ? [folder] : [folder, ...upwards(above)];
}

/** From its cache, so a shell can do that again. A hook from there may be without network. */
function isRunByNpx(file: string | undefined): boolean {
  return process.env['npm_command'] === 'exec' && file?.includes(`${sep}_npx${sep}`) === true;
}
