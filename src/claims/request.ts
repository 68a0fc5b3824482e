import { argumentError } from '../base/argument-errors.js';
import {
  checkBoolean,
  checkFields,
  checkOneOf,
  checkPath,
  optionNames,
} from '../base/arguments.js';
import { checkAgent } from './claim-file.js';
import { checkTtl, DEFAULT_TTL } from './expiry.js';
import { warnOfLiterals } from './literal-warning.js';
import type { ClaimedBy, ClaimPart, Wanted } from './model.js';
import { parsePatterns } from './parse-pattern.js';
import { comparable, type Entry, type Pattern } from './pattern.js';
import { gitDirOfLinked, sinceOfLinked } from './repository.js';
import { findRoot, type Root, treeOf } from './root.js';
import { isEmpty, patternsOf } from './scope.js';
import { checkSession } from './session.js';
import type { ClaimRequest } from './types.js';

/** The fields of a request. */
export const REQUEST_FIELDS = optionNames<ClaimRequest>({
  agent: true,
  files: true,
  directories: true,
  except: true,
  taskDescription: true,
  ttl: true,
  bind: true,
  keepAlive: true,
  session: true,
  parent: true,
  extend: true,
  release: true,
  by: true,
  tree: true,
});

const CLAIMED_BY: readonly ClaimedBy[] = ['hand', 'mcp', 'hook'];

type Use = 'claim' | 'claimAll' | 'plan';

/** Reads what a request names. Throws an argument error that names `name`. */
export type ReadPatterns = (given: unknown, kind: Entry['kind'], name: string) => Pattern[];

/**
 * For `plan` a request may have no scope, as a reviewer's. `read`: by default
 * from the text alone, without a look at the disk.
 */
export function checkRequests(
  requests: unknown,
  root: Root,
  use: Use,
  read: ReadPatterns = (given, kind, name) => parsePatterns(given, kind, root, name),
): Wanted[] {
  if (!Array.isArray(requests)) {
    throw argumentError('ERR_INVALID_ARG_TYPE', 'requests', 'an array', requests);
  }
  const agents = new Set<string>();
  return requests.map((request: unknown, at) => {
    const name = use === 'claim' ? 'request' : `requests[${at}]`;
    const wanted = checkOne(request, { root, read, use }, name);
    // Two names that differ only in case may mean one file.
    const folded = comparable(wanted.agent, true);
    if (agents.has(folded)) {
      const rule = 'unique among the requests, ignoring case';
      throw argumentError('ERR_INVALID_ARG_VALUE', `${name}.agent`, rule, wanted.agent);
    }
    agents.add(folded);
    if (use === 'plan') return wanted;
    checkScope(wanted, name);
    warnOfLiterals(wanted, root);
    return patternsOf(wanted).length > 0 ? wanted : { ...wanted, parts: [] };
  });
}

function checkOne(
  request: unknown,
  { root, read, use }: { root: Root; read: ReadPatterns; use: Use },
  name: string,
): Wanted {
  if (typeof request !== 'object' || request === null || Array.isArray(request)) {
    throw argumentError('ERR_INVALID_ARG_TYPE', name, 'an object', request);
  }
  const given = checkFields(request as Partial<ClaimRequest>, REQUEST_FIELDS, name);
  const { agent, files, directories, except, taskDescription, ttl, bind, keepAlive } = given;
  if (taskDescription !== undefined && typeof taskDescription !== 'string') {
    throw argumentError(
      'ERR_INVALID_ARG_TYPE',
      `${name}.taskDescription`,
      'a string',
      taskDescription,
    );
  }
  const list = (value: unknown, kind: Entry['kind'], field: string): Pattern[] =>
    checkPatterns(value, kind, read, `${name}.${field}`);
  const by = checkOneOf(given.by, `${name}.by`, CLAIMED_BY, 'hand');
  const tree = checkTree(given.tree, by, root, `${name}.tree`);
  const gitDir = tree === null ? null : gitDirOfLinked(tree);
  const part: ClaimPart = {
    patterns: [...list(files, 'file', 'files'), ...list(directories, 'directory', 'directories')],
    except: list(except, 'file', 'except'),
    tree,
    gitDir,
    since: gitDir === null ? null : sinceOfLinked(gitDir),
    by,
    touched: by === 'hook' ? new Date() : null,
  };
  const wanted = {
    agent: checkAgent(agent, `${name}.agent`),
    // Each pattern that a hook claims has its own time.
    parts: by === 'hook' ? part.patterns.map((each) => ({ ...part, patterns: [each] })) : [part],
    task: taskDescription ?? null,
    expiresAt: null,
    pid: null,
    ttl: ttl === undefined ? DEFAULT_TTL : checkTtl(ttl, `${name}.ttl`),
    bind: checkBoolean(bind, `${name}.bind`, false),
    keepAlive: checkBoolean(keepAlive, `${name}.keepAlive`, false),
    session: checkSession(given.session, `${name}.session`, { looks: use !== 'plan' }),
    parent: given.parent === undefined ? null : checkAgent(given.parent, `${name}.parent`),
    extend: checkBoolean(given.extend, `${name}.extend`, false),
    released: list(given.release, 'file', 'release'),
  };
  if (wanted.bind && wanted.session !== null) {
    const rule = 'left out with "session": a claim ends with one or the other';
    throw argumentError('ERR_INVALID_ARG_VALUE', `${name}.bind`, rule, true);
  }
  if (wanted.parent === wanted.agent) throw ownParent(name, wanted.agent);
  return wanted;
}

/** Also where a longer chain of parents leads back to the agent. */
export function ownParent(name: string, agent: string): TypeError | RangeError {
  const rule = 'another agent, and not a sub-agent of this one';
  return argumentError('ERR_INVALID_ARG_VALUE', `${name}.parent`, rule, agent);
}

/** Only what a hook claims holds in a single tree. */
function checkTree(given: unknown, by: ClaimedBy, root: Root, name: string): string | null {
  if (given !== undefined && by !== 'hook') {
    throw argumentError('ERR_INVALID_ARG_VALUE', name, `left out, unless "by" is 'hook'`, given);
  }
  if (by !== 'hook') return null;
  return given === undefined ? treeOf(root) : findRoot(checkPath(given, name)).real;
}

/** What is to be released: patterns as in `except`. */
export function checkPaths(value: unknown, read: ReadPatterns, name: string): Pattern[] {
  return checkPatterns(value, 'file', read, name);
}

function checkPatterns(
  value: unknown,
  kind: Entry['kind'],
  read: ReadPatterns,
  name: string,
): Pattern[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) {
    throw argumentError('ERR_INVALID_ARG_TYPE', name, 'an array of strings', value);
  }
  const patterns = value.flatMap((each, at) => read(each, kind, `${name}[${at}]`));
  return [...new Map(patterns.map((each) => [each.pattern, each])).values()];
}

function checkScope(wanted: Wanted, name: string): void {
  const { agent, extend, released } = wanted;
  const hasScope = patternsOf(wanted).length > 0;
  if (released.length > 0 && !extend) {
    if (!hasScope) return;
    const rule = 'left out where the claim is replaced: set "extend", or only release';
    throw argumentError('ERR_INVALID_ARG_VALUE', `${name}.release`, rule, agent);
  }
  if (!hasScope && released.length === 0) {
    const rule =
      'given a file or a folder in "files" or "directories"; an agent that changes nothing needs no claim';
    throw argumentError('ERR_INVALID_ARG_VALUE', name, rule, agent);
  }
  if (hasScope && isEmpty(wanted)) {
    const rule = 'not wholly excluded by "except"';
    throw argumentError('ERR_INVALID_ARG_VALUE', name, rule, agent);
  }
}
