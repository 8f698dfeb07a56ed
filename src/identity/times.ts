/** The instant without its fraction: identity's columns hold whole seconds and Postgres would round up (auth.md 4). */
export const wholeSecond = (instant: Date): Date => new Date(Math.floor(instant.getTime() / 1000) * 1000);

export const later = (instant: Date, seconds: number): Date => new Date(instant.getTime() + seconds * 1000);

/** `2026-02-19T12:00:00Z`: session endpoints. */
export const zulu = (instant: Date): string => `${instant.toISOString().slice(0, 19)}Z`;

/** `2026-02-19T12:00:00.000000Z`: profile, tokens, `/api/me`. */
export const sixDigits = (instant: Date): string => `${instant.toISOString().slice(0, 19)}.000000Z`;

/** `2026-02-19T12:00:00+00:00`: token envelopes. */
export const offset = (instant: Date): string => `${instant.toISOString().slice(0, 19)}+00:00`;

const orNull =
  (format: (instant: Date) => string) =>
  (instant: Date | null): string | null =>
    instant && format(instant);

export const zuluOrNull = orNull(zulu);
export const sixDigitsOrNull = orNull(sixDigits);
