import { argumentError, checkBoolean, checkFields, optionNames } from '../base/arguments.js';
import { checkTtl } from './claim.js';
import { checkAgent } from './claim-file.js';
import type { Claimed } from './conflicts.js';
import { comparable, type Entry, type Pattern, parsePattern, type Root } from './pattern.js';
import { isEmpty } from './scope.js';
import type { ClaimRequest } from './types.js';

/** A checked request. */
export interface Wanted extends Claimed {
  readonly ttl: number;
  readonly bind: boolean;
  readonly keepAlive: boolean;
}

const FIELDS = optionNames<ClaimRequest>({
  agent: true,
  files: true,
  directories: true,
  except: true,
  taskDescription: true,
  ttl: true,
  bind: true,
  keepAlive: true,
});
const HOUR = 3_600_000;

/** For `plan` a request may be without a scope: that of a reviewer. */
export function checkRequests(
  requests: unknown,
  root: Root,
  use: 'claim' | 'claimAll' | 'plan',
): Wanted[] {
  if (!Array.isArray(requests)) {
    throw argumentError('ERR_INVALID_ARG_TYPE', 'requests', 'an array', requests);
  }
  const agents = new Set<string>();
  return requests.map((request: unknown, at) => {
    const name = use === 'claim' ? 'request' : `requests[${at}]`;
    const wanted = checkOne(request, root, name);
    // Two names that differ in case alone may be one file.
    const folded = comparable(wanted.agent, true);
    if (agents.has(folded)) {
      const rule = 'in one request alone, also but for case';
      throw argumentError('ERR_INVALID_ARG_VALUE', `${name}.agent`, rule, wanted.agent);
    }
    agents.add(folded);
    if (use !== 'plan') checkScope(wanted, name);
    return wanted;
  });
}

function checkOne(request: unknown, root: Root, name: string): Wanted {
  if (typeof request !== 'object' || request === null || Array.isArray(request)) {
    throw argumentError('ERR_INVALID_ARG_TYPE', name, 'an object', request);
  }
  const { agent, files, directories, except, taskDescription, ttl, bind, keepAlive } = checkFields(
    request as Partial<ClaimRequest>,
    FIELDS,
    name,
  );
  if (taskDescription !== undefined && typeof taskDescription !== 'string') {
    throw argumentError(
      'ERR_INVALID_ARG_TYPE',
      `${name}.taskDescription`,
      'a string',
      taskDescription,
    );
  }
  const list = (value: unknown, kind: Entry['kind'], field: string): Pattern[] =>
    checkPatterns(value, kind, root, `${name}.${field}`);
  return {
    agent: checkAgent(agent, `${name}.agent`),
    patterns: [...list(files, 'file', 'files'), ...list(directories, 'directory', 'directories')],
    except: list(except, 'file', 'except'),
    task: taskDescription ?? null,
    expiresAt: null,
    ttl: ttl === undefined ? HOUR : checkTtl(ttl, `${name}.ttl`),
    bind: checkBoolean(bind, `${name}.bind`, false),
    keepAlive: checkBoolean(keepAlive, `${name}.keepAlive`, false),
  };
}

function checkPatterns(value: unknown, kind: Entry['kind'], root: Root, name: string): Pattern[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) {
    throw argumentError('ERR_INVALID_ARG_TYPE', name, 'an array of strings', value);
  }
  const patterns = value.map((each, at) => parsePattern(each, kind, root, `${name}[${at}]`));
  return [...new Map(patterns.map((each) => [each.pattern, each])).values()];
}

function checkScope(wanted: Wanted, name: string): void {
  if (wanted.patterns.length === 0) {
    const rule =
      'with a file or a folder in "files" or "directories"; who changes nothing needs no claim';
    throw argumentError('ERR_INVALID_ARG_VALUE', name, rule, wanted.agent);
  }
  if (isEmpty(wanted)) {
    const rule = 'such that "except" leaves something of it';
    throw argumentError('ERR_INVALID_ARG_VALUE', name, rule, wanted.agent);
  }
}
