import { usageError } from './exit-codes.js';

const UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Parses `30` (seconds), `1.5`, `500ms`, `10m`, `1h`; returns milliseconds. */
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

function two(value: number): string {
  return String(value).padStart(2, '0');
}

/** `0:07`, `12:34`, `1:02:03`. */
export function clock(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  const minutes = Math.floor(seconds / 60);
  const rest = two(seconds % 60);
  return minutes < 60
    ? `${minutes}:${rest}`
    : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${rest}`;
}

/** `12m`, `-4m`: one unit, short enough for a column. */
export function age(milliseconds: number): string {
  const sign = milliseconds < 0 ? '-' : '';
  const seconds = Math.floor(Math.abs(milliseconds) / 1000);
  if (seconds < 60) return `${sign}${seconds}s`;
  if (seconds < 100 * 60) return `${sign}${Math.floor(seconds / 60)}m`;
  const hours = Math.floor(seconds / 3600);
  return hours < 48 ? `${sign}${hours}h` : `${sign}${Math.floor(hours / 24)}d`;
}

/** `2026-02-25 10:30`, in local time. */
export function localTime(date: Date): string {
  // Do not shift the date by the offset: a record may have the last possible one.
  const day = [date.getFullYear(), date.getMonth() + 1, date.getDate()].map(two).join('-');
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** `11:30` today, `2026-02-25 11:30` on any other day, in local time. */
export function clockTime(date: Date): string {
  const text = localTime(date);
  const [day = '', time = ''] = text.split(' ');
  return localTime(new Date()).startsWith(`${day} `) ? time : text;
}
