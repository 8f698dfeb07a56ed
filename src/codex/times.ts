/** `2026-02-22T00:00:00Z`: worker endpoints (codex-chat 2.0). */
export const wholeSeconds = (instant: Date) => `${instant.toISOString().slice(0, 19)}Z`;

/** `2026-02-22T00:00:00.000Z`: thread and chat endpoints. */
export const milliseconds = (instant: Date) => instant.toISOString();

export const wholeSecondsOrNull = (instant: Date | null) => instant && wholeSeconds(instant);
export const millisecondsOrNull = (instant: Date | null) => instant && milliseconds(instant);

const form = /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;

/** The instant that an RFC 3339 text names, or null when it names none. */
export function rfc3339(text: unknown): Date | null {
  const parts = typeof text === "string" ? form.exec(text) : null;
  if (!parts) return null;
  const [year, month, day, hour, minute, second] = parts.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const days = new Date(Date.UTC(year, month, 0)).getUTCDate();
  if (month < 1 || month > 12 || day < 1 || day > days || hour > 23 || minute > 59 || second > 60) return null;
  const instant = new Date((second === 60 ? (text as string).replace(/:60/, ":59") : (text as string)).toUpperCase());
  return Number.isNaN(instant.getTime()) ? null : instant;
}

/** An instant in seconds since 1970, as Codex gives it. */
export const fromSeconds = (value: unknown): Date | null =>
  typeof value === "number" && Number.isFinite(value) && Math.abs(value) < 8.64e12 ? new Date(value * 1000) : null;

/** The same in milliseconds. */
export const fromMilliseconds = (value: unknown): Date | null =>
  typeof value === "number" && Number.isFinite(value) && Math.abs(value) < 8.64e15 ? new Date(value) : null;
