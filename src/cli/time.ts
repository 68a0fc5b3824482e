import { usageError } from './exit-codes.js';

const UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `30` (seconds), `1.5`, `500ms`, `10m`, `1h`: milliseconds. */
export function parseTime(text: string, option: string, command: string): number {
  const match = /^(\d+\.?\d*|\.\d+)(ms|s|m|h|d)?$/.exec(text);
  if (match === null) {
    throw usageError(
      `${option} takes a time such as 30 (seconds), 1.5, 500ms, 10m, 1h or 2d, not '${text}'`,
      command,
    );
  }
  return Number(match[1]) * (UNITS[match[2] ?? 's'] ?? 1000);
}

/** `0:07`, `12:34`, `1:02:03`. */
export function clock(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  const two = (value: number): string => String(value).padStart(2, '0');
  const minutes = Math.floor(seconds / 60);
  const rest = two(seconds % 60);
  return minutes < 60
    ? `${minutes}:${rest}`
    : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${rest}`;
}
