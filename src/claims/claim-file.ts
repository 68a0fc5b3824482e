import { isUtf8 } from 'node:buffer';
import { argumentError } from '../base/argument-errors.js';
import { checkFileName } from '../base/file-name.js';
import type { ClaimPart } from './model.js';
import { parseParts } from './parts.js';
import type { Root } from './root.js';
import { parseMark, type SessionMark } from './session.js';
import { parseTime } from './times.js';

/** The content of a claim's file, parsed. */
export interface ClaimFile {
  agent: string;
  parts: readonly ClaimPart[];
  /** `null` if the file was not written by holdfast. */
  id: string | null;
  task: string | null;
  lockedAt: Date;
  expiresAt: Date;
  bound: { pid: number; start: string } | null;
  /** The process with which it ends. */
  session: SessionMark | null;
  /** The agent of which this one is a sub-agent. */
  parent: string | null;
  /** All its fields, unchanged. */
  fields: Record<string, unknown>;
}

export const CLAIM_SUFFIX = '.lock';
/** In bytes. No claim is longer. */
export const CLAIM_LIMIT = 1024 * 1024;
/** The name of an agent, which becomes the name of a file. */
export function checkAgent(value: unknown, argument: string): string {
  const agent = checkFileName(value, argument, CLAIM_SUFFIX);
  if (agent.includes('..') || agent.startsWith('.')) {
    const rule = "without '..' and not beginning with '.'";
    throw argumentError('ERR_INVALID_ARG_VALUE', argument, rule, agent);
  }
  return agent;
}

/** The claim in `content`; a string says why it is not a claim. */
export function parseClaim(content: Buffer, agent: string, root: Root): ClaimFile | string {
  if (content.length === 0) return 'it is empty';
  if (content.length > CLAIM_LIMIT) return 'it is longer than 1 MiB';
  if (!isUtf8(content)) return 'it is binary';
  let value: unknown;
  try {
    value = JSON.parse(content.toString());
  } catch (error) {
    return `it is not JSON: ${(error as Error).message.split('\n')[0]}`;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return 'it is not a JSON object';
  }
  try {
    return understand(value as Record<string, unknown>, agent, root);
  } catch (error) {
    return (error as Error).message;
  }
}

function understand(fields: Record<string, unknown>, agent: string, root: Root): ClaimFile {
  const named = textOf(fields, 'agent');
  if (named !== agent) {
    throw new Error(`"agent" is '${named}', which does not match the file's name`);
  }
  const lockedAt = timeOf(fields, 'locked_at');
  const expiresAt = timeOf(fields, 'expires_at');
  if (expiresAt < lockedAt) throw new Error('"expires_at" is before "locked_at"');
  const { task_description: task = null, id = null } = fields;
  if (task !== null && typeof task !== 'string')
    throw new Error('"task_description" is not a string');
  return {
    agent,
    id: typeof id === 'string' ? id : null,
    parts: parseParts(fields, root),
    task,
    lockedAt,
    expiresAt,
    bound: boundOf(fields['bound']),
    session: parseMark(fields['session']),
    parent: parentIn(fields, agent),
    fields,
  };
}

function textOf(fields: Record<string, unknown>, name: string): string {
  const value = fields[name];
  if (value === undefined) throw new Error(`"${name}" is missing`);
  if (typeof value !== 'string') throw new Error(`"${name}" is not a string`);
  return value;
}

function timeOf(fields: Record<string, unknown>, name: string): Date {
  const time = parseTime(textOf(fields, name));
  if (time === null) throw new Error(`"${name}" is not a time such as 2026-01-17T15:30:00Z`);
  return time;
}

function boundOf(value: unknown): { pid: number; start: string } | null {
  if (value == null) return null;
  const { pid, start } = value as Record<string, unknown>;
  if (!Number.isInteger(pid)) throw new Error('"bound" has no pid');
  return { pid: pid as number, start: typeof start === 'string' ? start : '' };
}

/**
 * A file that another program or a person wrote may have a field of this name;
 * ours have an id.
 */
function parentIn({ parent, id }: Record<string, unknown>, agent: string): string | null {
  if (typeof parent !== 'string' || typeof id !== 'string') return null;
  if (parent === agent) throw new Error('"parent" is the agent itself');
  return parent;
}

export const OWN_FIELDS = new Set([
  'agent',
  'locked_at',
  'files',
  'directories',
  'except',
  'task_description',
  'expires_at',
  'id',
  'bound',
  'parts',
]);
export const OWN_IF_UNDERSTOOD = ['session', 'parent'] as const;

// Each takes as long as parsing the whole file.
export const MOST_PLACES = 8;
