// The parts of a scope in a claim's file. `files` and `directories` list the
// patterns of all parts, and `except` what every part excepts: so a person who
// reads the file, and Holdfast 0.1.0, sees too much rather than too little.
import { basename } from 'node:path';
import type { ClaimedBy, ClaimPart } from './model.js';
import { parsePatterns } from './parse-pattern.js';
import type { Pattern } from './pattern.js';
import { gitDirOfLinked, topOfLinked } from './repository.js';
import type { Root } from './root.js';
import { formatTime, parseTime } from './times.js';

type Fields = Record<string, unknown>;

/** How the file shows parts: the lists of people, and the details unless the lists say all. */
export interface PartTexts {
  files: string[];
  directories: string[];
  except: string[];
  details: Fields[] | null;
}

export function formatParts(parts: readonly ClaimPart[]): PartTexts {
  const lists = listsOf(parts.flatMap(({ patterns }) => patterns));
  const [first, ...others] = parts.map(({ except }) => except.map((each) => each.pattern));
  const common = (first ?? []).filter((text) => others.every((each) => each.includes(text)));
  const [only] = parts;
  const isPlain = parts.length === 1 && only?.by === 'hand' && only.tree === null;
  return { ...lists, except: [...new Set(common)], details: isPlain ? null : parts.map(fieldsOf) };
}

function fieldsOf({ patterns, except, tree, gitDir = null, by, touched }: ClaimPart): Fields {
  const { files, directories } = listsOf(patterns);
  return {
    ...(files.length > 0 && { files }),
    ...(directories.length > 0 && { directories }),
    ...(except.length > 0 && { except: except.map((each) => each.pattern) }),
    ...(tree !== null && { tree }),
    ...(gitDir !== null && { git_dir: gitDir }),
    by,
    ...(touched !== null && { touched: formatTime(touched.getTime()) }),
  };
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
  const tops = new Map<string, string | null>();
  const topOf = (gitDir: string): string | null => {
    let top = tops.get(gitDir);
    if (top === undefined) {
      top = topOfLinked(gitDir);
      tops.set(gitDir, top);
    }
    return top;
  };
  return list.map((each) => {
    const part = Object(each) as Fields;
    const { by, touched, tree = null, git_dir } = part;
    const gitDir = typeof git_dir === 'string' ? git_dir : null;
    if (tree !== null && typeof tree !== 'string') throw new Error('"tree" is not a string');
    const read = (name: string, kind: Pattern['kind']): Pattern[] =>
      part[name] == null ? [] : patternsIn(part, name, kind, root);
    return {
      patterns: [...read('files', 'file'), ...read('directories', 'directory')],
      except: read('except', 'file'),
      tree: gitDir === null ? tree : (topOf(gitDir) ?? unlessReplaced(tree, gitDir)),
      gitDir,
      by: isClaimedBy(by) ? by : 'hand',
      touched: typeof touched === 'string' ? parseTime(touched) : null,
    };
  });
}

/**
 * The place of a linked working tree that git no longer knows. Another one may
 * be there by now: the part holds in no tree then, rather than in that one. The
 * names alone are compared, because the repository may have been moved.
 */
function unlessReplaced(tree: string | null, gitDir: string): string | null {
  if (tree === null) return null;
  try {
    const there = gitDirOfLinked(tree);
    return there === null || basename(there) === basename(gitDir) ? tree : gitDir;
  } catch {
    // What is there does not lead to a repository.
    return tree;
  }
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
