import { type ClaimFile, MOST_PLACES, OWN_FIELDS, OWN_IF_UNDERSTOOD } from './claim-file.js';
import { formatParts } from './parts-text.js';
import { formatTime } from './times.js';

/** The content of a claim's file. `other`: fields of another program, which stay. */
export function formatClaim(
  claim: Omit<ClaimFile, 'fields'>,
  other: Record<string, unknown> = {},
): string {
  const { agent, lockedAt, expiresAt, parts, task, id, bound, session, parent } = claim;
  const { files, directories, except, details } = formatParts(parts);
  return formatFields({
    agent,
    locked_at: formatTime(lockedAt.getTime()),
    files,
    ...(directories.length > 0 && { directories }),
    ...(except.length > 0 && { except }),
    ...(task !== null && { task_description: task }),
    expires_at: formatTime(expiresAt.getTime()),
    id,
    ...(bound !== null && { bound }),
    ...(session !== null && { session }),
    ...(parent !== null && { parent }),
    // Without it, another version of Holdfast may own the file.
    ...((details !== null || bound !== null) && { parts: details ?? [] }),
    ...other,
    // Written above already, whatever another program means by these names.
    ...(session !== null && { session }),
    ...(parent !== null && { parent }),
  });
}

/** What a claim's file says beyond the fields that {@link formatClaim} writes. */
export function otherFields(claim: ClaimFile): Record<string, unknown> {
  const own = new Set(OWN_FIELDS);
  for (const name of OWN_IF_UNDERSTOOD) if (claim[name] !== null) own.add(name);
  return Object.fromEntries(Object.entries(claim.fields).filter(([name]) => !own.has(name)));
}

export function formatFields(fields: Record<string, unknown>): string {
  return `${JSON.stringify(fields)}\n`;
}

/** Where in a claim's file its expiry is; -1 unless it has 20 characters. */
export function offsetOfExpiry(content: Buffer): number {
  const text = content.toString('latin1');
  const sample = formatTime(0);
  let places = 0;
  for (const match of text.matchAll(/"expires_at"\s*:\s*"([^"]*)"/g)) {
    const end = match.index + match[0].length - 1;
    const start = end - (match[1]?.length ?? 0);
    if (end - start !== sample.length) continue;
    if (++places > MOST_PLACES) break;
    // A nested object may have a field of this name as well.
    const changed = JSON.parse(`${text.slice(0, start)}${sample}${text.slice(end)}`);
    if (changed.expires_at === sample) return start;
  }
  return -1;
}
