import type { ClaimPart } from './model.js';
import { entriesOf, listsOf } from './parts.js';
import { formatTime } from './times.js';

type Fields = Record<string, unknown>;

/** How the file shows parts: the lists of people, and the details unless the lists say all. */
export interface PartTexts {
  files: string[];
  directories: string[];
  except: string[];
  details: Fields[] | null;
}

/** What `parseParts` reads. */
export function formatParts(parts: readonly ClaimPart[]): PartTexts {
  const [only] = parts;
  const isPlain = parts.length === 1 && only?.by === 'hand' && only.tree === null;
  return { ...entriesOf(parts), details: isPlain ? null : parts.map(fieldsOf) };
}

function fieldsOf({
  patterns,
  except,
  tree,
  gitDir = null,
  since = null,
  by,
  touched,
}: ClaimPart): Fields {
  const { files, directories } = listsOf(patterns);
  return {
    ...(files.length > 0 && { files }),
    ...(directories.length > 0 && { directories }),
    ...(except.length > 0 && { except: except.map((each) => each.pattern) }),
    ...(tree !== null && { tree }),
    ...(gitDir !== null && { git_dir: gitDir }),
    ...(since !== null && { since }),
    by,
    ...(touched !== null && { touched: formatTime(touched.getTime()) }),
  };
}
