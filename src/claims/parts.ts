// The parts of a scope in a claim's file. `files` and `directories` list the
// patterns of all parts, and `except` what every part excepts: so a person who
// reads the file, and Holdfast 0.1.0, sees too much rather than too little.
import { basename } from 'node:path';
import type { ClaimedBy, ClaimPart } from './model.js';
import { parsePatterns } from './parse-pattern.js';
import type { Pattern } from './pattern.js';
import { gitDirOfLinked, sinceOfLinked, topOfLinked } from './repository.js';
import type { Root } from './root.js';
import { parseTime } from './times.js';

type Fields = Record<string, unknown>;

/** What a claim has, however many parts it has. */
export function entriesOf(parts: readonly ClaimPart[]): {
  files: string[];
  directories: string[];
  except: string[];
} {
  const lists = listsOf(parts.flatMap(({ patterns }) => patterns));
  const [first, ...others] = parts.map(({ except }) => except.map((each) => each.pattern));
  const common = (first ?? []).filter((text) => others.every((each) => each.includes(text)));
  return { ...lists, except: [...new Set(common)] };
}

export function listsOf(patterns: readonly Pattern[]): { files: string[]; directories: string[] } {
  const texts = (kind: Pattern['kind']): string[] => [
    ...new Set(patterns.filter((each) => each.kind === kind).map((each) => each.pattern)),
  ];
  return { files: texts('file'), directories: texts('directory') };
}

/**
 * The parts of a file that a person may have edited: a pattern that no part has
 * is one of its own; one that is missing in the lists is gone; and what the
 * file's `except` names, every part excepts.
 */
export function parseParts(fields: Fields, root: Root): ClaimPart[] {
  const listed = [
    ...patternsIn(fields, 'files', 'file', root),
    ...(fields['directories'] == null ? [] : patternsIn(fields, 'directories', 'directory', root)),
  ];
  const except = fields['except'] == null ? [] : patternsIn(fields, 'except', 'file', root);
  const rest = new Map(listed.map((each) => [each.pattern, each]));
  const known = new Set(rest.keys());
  const parts: ClaimPart[] = [];
  for (const part of detailsIn(fields, root)) {
    const patterns = part.patterns.filter((each) => known.has(each.pattern));
    for (const { pattern } of patterns) rest.delete(pattern);
    if (patterns.length > 0) parts.push({ ...part, patterns, except: union(part.except, except) });
  }
  const others = parts.length === 0 ? listed : [...rest.values()];
  if (others.length === 0) return parts;
  return [...parts, { patterns: others, except, tree: null, by: 'hand', touched: null }];
}

function detailsIn(fields: Fields, root: Root): ClaimPart[] {
  const list = fields['parts'] ?? [];
  if (!Array.isArray(list)) throw new Error('"parts" is not a list');
  const known = new Map<string, string | null>();
  const treeNow = (tree: string | null, gitDir: string, since: string | null): string | null => {
    const key = JSON.stringify([tree, gitDir, since]);
    let now = known.get(key);
    if (now === undefined) {
      now = placeOf(tree, gitDir, since);
      known.set(key, now);
    }
    return now;
  };
  return list.map((each) => {
    const part = Object(each) as Fields;
    const { by, touched, tree = null } = part;
    const [gitDir, since] = [part['git_dir'], part['since']].map((each) =>
      typeof each === 'string' ? each : null,
    ) as [string | null, string | null];
    if (tree !== null && typeof tree !== 'string') throw new Error('"tree" is not a string');
    const read = (name: string, kind: Pattern['kind']): Pattern[] =>
      part[name] == null ? [] : patternsIn(part, name, kind, root);
    return {
      patterns: [...read('files', 'file'), ...read('directories', 'directory')],
      except: read('except', 'file'),
      tree: gitDir === null ? tree : treeNow(tree, gitDir, since),
      gitDir,
      since,
      by: isClaimedBy(by) ? by : 'hand',
      touched: typeof touched === 'string' ? parseTime(touched) : null,
    };
  });
}

/**
 * Where a linked working tree is now. Another one may have its place, or its name
 * in git, since it was removed: the part holds in no tree then, rather than in
 * that one.
 */
function placeOf(tree: string | null, gitDir: string, since: string | null): string | null {
  const top = topOfLinked(gitDir);
  if (top !== null) return isSince(gitDir, since) ? top : gitDir;
  if (tree === null) return null;
  try {
    // Git no longer knows it, or the repository was moved: the names are the same then.
    const there = gitDirOfLinked(tree);
    const isSame =
      there === null || (basename(there) === basename(gitDir) && isSince(there, since));
    return isSame ? tree : gitDir;
  } catch {
    // What is there does not lead to a repository.
    return tree;
  }
}

/** True also where it is not known. */
function isSince(gitDir: string, since: string | null): boolean {
  const now = since === null ? null : sinceOfLinked(gitDir);
  return now === null || now === since;
}

function isClaimedBy(value: unknown): value is ClaimedBy {
  return value === 'hook' || value === 'mcp' || value === 'hand';
}

function union(one: readonly Pattern[], other: readonly Pattern[]): Pattern[] {
  return [...new Map([...one, ...other].map((each) => [each.pattern, each])).values()];
}

function patternsIn(fields: Fields, name: string, kind: Pattern['kind'], root: Root): Pattern[] {
  const list = fields[name];
  if (list === undefined) throw new Error(`"${name}" is missing`);
  if (!Array.isArray(list)) throw new Error(`"${name}" is not a list`);
  return list.flatMap((each) => parsePatterns(each, kind, root, name));
}
