// The claims that a plan has to fit into, as its caller got them from `list`.
import { argumentError } from '../base/argument-errors.js';
import type { Claimed } from './model.js';
import { parsePatterns } from './parse-pattern.js';
import type { Entry } from './pattern.js';
import type { Root } from './root.js';
import { endOf } from './status.js';
import type { ClaimPartStatus, ClaimStatus } from './types.js';

/** Validates statuses that a caller passes back. */
export function checkStatuses(existing: unknown): ClaimStatus[] {
  const isStatus = (each: unknown): boolean => {
    const { agent, files, directories, except } = Object(each) as Partial<ClaimStatus>;
    return typeof agent === 'string' && [files, directories, except].every(Array.isArray);
  };
  if (!Array.isArray(existing) || !existing.every(isStatus)) {
    const what = 'an array of statuses from list()';
    throw argumentError('ERR_INVALID_ARG_TYPE', 'options.existing', what, existing);
  }
  return existing as ClaimStatus[];
}

/** The scope of a status. Its patterns are checked: the caller may have made it up. */
export function claimedBy(status: ClaimStatus, root: Root): Claimed {
  const { agent, task, expiresAt } = status;
  const parse = (list: string[], kind: Entry['kind']) =>
    list.flatMap((each) => parsePatterns(each, kind, root, 'options.existing'));
  // One made by the caller, or written by Holdfast 0.1.0, has no parts.
  const given: Partial<ClaimPartStatus>[] =
    Array.isArray(status.parts) && status.parts.length > 0 ? status.parts : [status];
  const parts = given.map(({ files, directories, except, tree = null, by = 'hand' }) => ({
    patterns: [...parse(files ?? [], 'file'), ...parse(directories ?? [], 'directory')],
    except: parse(except ?? [], 'file'),
    tree,
    by,
    touched: null,
  }));
  return { agent, parts, task, expiresAt, ...endOf(status) };
}
