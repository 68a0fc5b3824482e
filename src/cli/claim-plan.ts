import { readFileSync } from 'node:fs';
import { printable } from '../base/holder.js';
import { REQUEST_FIELDS } from '../claims/request.js';
import type { ClaimRequest, ClaimStatus } from '../claims/types.js';
import type { ClaimArguments } from './claim-options.js';
import { planLines } from './claim-show.js';
import { readStandardInput } from './descriptors.js';
import { EXIT, usageError } from './exit-codes.js';
import { formatJson, print, type Streams, say, widthOf } from './streams.js';

/** `holdfast claim plan`. */
export async function plan(given: ClaimArguments, streams: Streams): Promise<number> {
  const { claims, hasFolder, json, quiet } = given;
  const [file = ''] = given.paths;
  const requests = readRequests(file, streams);
  const existing: ClaimStatus[] = hasFolder ? await claims.list() : [];
  const made = claims.plan(requests, { existing });
  const agents = requests.map(({ agent }) => agent);
  const width = widthOf(streams.stdout);
  if (!quiet) print(streams, json ? formatJson(made) : planLines(made, agents, width));
  return made.conflicts.length > 0 ? EXIT.refused : EXIT.ok;
}

function readRequests(file: string, streams: Streams): ClaimRequest[] {
  const shown = file === '-' ? 'standard input' : file;
  let value: unknown;
  try {
    value = JSON.parse(file === '-' ? readStandardInput() : readFileSync(file, 'utf8'));
  } catch (error) {
    throw usageError(`cannot read a plan from ${shown}: ${(error as Error).message}`, 'claim plan');
  }
  if (!Array.isArray(value)) {
    throw usageError(`the plan in ${shown} is not a JSON array of requests`, 'claim plan');
  }
  return value.map((each) => {
    if (typeof each !== 'object' || each === null) return each;
    // The name in a claim's file.
    const { task_description: task, ...request } = each;
    const unknown = Object.keys(request).find((key) => !REQUEST_FIELDS.has(key));
    if (unknown !== undefined) {
      const whose = printable(String(request.agent));
      say(streams, `Warning: unknown field "${printable(unknown)}" of ${whose}, ignored`);
    }
    return task == null ? request : { taskDescription: task, ...request };
  });
}
