/** A JSON object, as bodies and Codex payloads hold them. */
export type Json = Record<string, unknown>;

export const isJson = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The value as an object; `{}` for anything else. */
export const asJson = (value: unknown): Json => (isJson(value) ? value : {});

/** The value as a list; empty for anything else. */
export const asList = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

/** A text that says something, trimmed; null for anything else. */
export const textOf = (value: unknown): string | null => (typeof value === "string" && value.trim()) || null;

/** The first of the values that is a text that says something. */
export function firstText(...values: unknown[]): string | null {
  for (const value of values) {
    const text = textOf(value);
    if (text !== null) return text;
  }
  return null;
}

/** Length in Unicode code points, as every limit of this domain counts. */
export const codePoints = (text: string): number => {
  let count = 0;
  for (const _ of text) count++;
  return count;
};

/** At most `max` code points of a text. */
export const cut = (text: string, max: number): string =>
  text.length <= max ? text : [...text].slice(0, max).join("");
