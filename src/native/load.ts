import { existsSync, realpathSync } from 'node:fs';
// The default export, because webpack follows an imported createRequire and puts
// what it requires into the bundle.
import Module from 'node:module';
import { dirname, join, resolve, toNamespacedPath } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FilePath } from '../base/paths.js';
import type { NativeBinding } from './binding.js';
import { explainFailure } from './load-failure.js';

let binding: NativeBinding | undefined;

/** See {@link NativeBinding.results}. */
export let results: Float64Array = new Float64Array();

/**
 * The addon, loaded at the first call: importing the package never fails, and
 * after a failed load the next call tries again. Throws `EMFILE`, `ENFILE` or
 * `ENOMEM` if the system is short of what loading needs, and otherwise
 * `LockUnsupportedError`; `path` is the file that the caller wants to lock.
 */
export function loadBinding(path: FilePath): NativeBinding {
  if (binding !== undefined) return binding;
  const folders = roots();
  const places = placesIn(folders);
  try {
    const loaded = load(folders, places);
    results = loaded.results();
    binding = loaded;
    return loaded;
  } catch (error) {
    throw explainFailure(error as Error, {
      path,
      folders,
      places,
      isGiven: givenFolder() !== '',
      exists,
    });
  }
}

/** The addon, if a call has loaded it. */
export function loadedBinding(): NativeBinding | undefined {
  return binding;
}

const givenFolder = (): string => process.env['HOLDFAST_PREBUILD'] ?? '';

/** Where this code is: this file, or the bundle that contains it. */
export function ownFiles(): string[] {
  const url: string | undefined = import.meta.url;
  const files = url?.startsWith('file:') === true ? [fileURLToPath(url)] : [];
  try {
    // In a CommonJS bundle. There import.meta.url is empty or, in webpack, the
    // path of this file at build time.
    files.push(__filename);
  } catch {
    // In an ES module. Not checked with typeof, which webpack replaces with a
    // wrong answer.
  }
  return files;
}

/** The files of this package that are two folders deep; see `scripts/bundle.mjs`. */
const DEEP = /[\\/](dist[\\/]cli|src[\\/]native)$/;

/**
 * The folder of this file, for bundles, and the two above it. The package's
 * folder comes first: it is one above dist/core.js, and two above dist/cli and
 * src/native.
 */
function roots(): string[] {
  if (givenFolder() !== '') return [resolve(givenFolder())];
  const all = ownFiles().flatMap((file) => {
    const own = dirname(file);
    const above = dirname(own);
    return DEEP.test(own) ? [dirname(above), above, own] : [above, own, dirname(above)];
  });
  return [...new Set(all)];
}

/** Where the addon may be, by its exact name. */
function placesIn(folders: string[]): string[] {
  const names = ['build/Release', `prebuilds/${process.platform}-${process.arch}`];
  return folders.flatMap((each) => names.map((name) => join(each, name, 'holdfast.node')));
}

/**
 * By its exact name first: that takes a tenth of the time of node-gyp-build's
 * search, and finds no other addon where the package was bundled into another
 * package. Adds what the search finds to `places`.
 */
function load(folders: string[], places: string[]): NativeBinding {
  const place = places.find(exists);
  if (place !== undefined) return checked(place);
  const [found, ...others] = search(folders);
  if (found === undefined) throw new Error('there is no addon');
  places.unshift(found, ...others);
  try {
    return checked(found);
  } catch (error) {
    const other = others.map(checkedOrNone).find((each) => each !== undefined);
    if (other !== undefined) return other;
    throw error;
  }
}

// A sample of what is new in this version: what every acquire calls, and the
// newest.
const OF_THIS_VERSION = [
  'take',
  'begin',
  'beginWhenGranted',
  'results',
  'identify',
  'peer',
] as const;

function checked(place: string): NativeBinding {
  const found = loadFile(place) as NativeBinding;
  const has = (name: keyof NativeBinding) => typeof found[name] === 'function';
  if (!has('startWaiting')) throw new Error(`${place} is not an addon of Holdfast`);
  if (OF_THIS_VERSION.every(has)) return found;
  throw new Error(`${place} is an addon of another version of Holdfast`);
}

function checkedOrNone(place: string): NativeBinding | undefined {
  try {
    return checked(place);
  } catch {
    return undefined;
  }
}

/**
 * As require() would, but without its search for packages, which takes longer
 * than all the rest. It uses the cache of require(), so that all copies of this
 * code in a thread share one addon, and see each other's locks.
 */
function loadFile(place: string): unknown {
  const Class = moduleClass();
  const { _cache: cache } = Class as unknown as { _cache: NodeJS.Require['cache'] };
  const file = realpathSync.native(place);
  const loaded = cache[file];
  if (loaded !== undefined) return loaded.exports;
  const entry = new Class(file);
  process.dlopen(entry, toNamespacedPath(file));
  entry.filename = file;
  entry.loaded = true;
  cache[file] = entry;
  return entry.exports;
}

/** In the CommonJS build, `Module` is the class of `module`; on Bun that is another class. */
function moduleClass(): typeof Module {
  return '_cache' in Module ? Module : process.getBuiltinModule('node:module');
}

/** Under the permission model, existsSync throws. */
function exists(path: string): boolean {
  try {
    return existsSync(path);
  } catch {
    return false;
  }
}

/** Looks under the other names that prebuildify can give the addon, and in build/Debug. */
function search(folders: string[]): string[] {
  const [root] = folders;
  if (root === undefined) throw new Error('it is not known where this file is');
  const from = ownFiles()[0] ?? join(root, 'holdfast.js');
  const { path: find } = Module.createRequire(from)('node-gyp-build');
  const found = folders.map((folder): string => {
    try {
      return find(folder);
    } catch {
      return '';
    }
  });
  return [...new Set(found)].filter((each) => each !== '');
}
