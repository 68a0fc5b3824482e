import { findCommon } from '../../src/claims/overlap.js';
import { parsePattern } from '../../src/claims/parse-pattern.js';
import type { Pattern } from '../../src/claims/pattern.js';
import type { Root } from '../../src/claims/root.js';

export const ROOT: Root = { path: '/srv/tree', real: '/mnt/disk/tree', ignoresCase: false };

export const file = (text: string, root = ROOT): Pattern => parsePattern(text, 'file', root, 'it');
export const folder = (text: string, root = ROOT): Pattern =>
  parsePattern(text, 'directory', root, 'it');

/** `a/` is a folder, all else a file or a pattern. */
export const read = (text: string, root = ROOT): Pattern =>
  text.endsWith('/') || text === '.' ? folder(text, root) : file(text, root);

export const common = (
  one: string,
  other: string,
  except: string[] = [],
  root = ROOT,
): string | null =>
  findCommon(
    read(one, root),
    read(other, root),
    except.map((each) => read(each, root)),
  );

/** What of a pattern is to be seen, whatever has been worked out. */
export const seen = ({ kind, pattern, literal, folder: isFolder, prefix }: Pattern): object => {
  return { kind, pattern, literal, isFolder, prefix };
};
