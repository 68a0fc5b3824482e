const TIME = /^(\d{4})-(\d\d)-(\d\d)T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)$/;

/** `2026-01-17T15:30:00Z`: always 20 characters. */
export function formatTime(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;
}

/** The time that `text` names; `null` if it is none. */
export function parseTime(text: string): Date | null {
  const [, year, month, day] = TIME.exec(text) ?? [];
  const time = new Date(year === undefined ? Number.NaN : text);
  // Date reads the 30th of February as the 2nd of March.
  const days = new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate();
  return Number.isNaN(time.getTime()) || Number(day) > days ? null : time;
}
