/** Reading members of JSON that others wrote: the wrong type counts as absent. */

export type Fields = Record<string, unknown>;

export const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export const fields = (value: unknown): Fields => (isFields(value) ? value : {});

/** The first of these members that is a non-empty string. */
export function text(from: Fields, ...names: string[]): string | null {
  for (const name of names) {
    const value = from[name];
    if (typeof value === "string" && value !== "") return value;
  }
  return null;
}

/** The first of these members that is a finite number. */
export function count(from: Fields, ...names: string[]): number | null {
  for (const name of names) {
    const value = from[name];
    if (typeof value === "number" && Number.isFinite(value)) return value;
  }
  return null;
}

/** A string member as it is, the empty one too: deltas are never trimmed. */
export const verbatim = (from: Fields, name: string): string => {
  const value = from[name];
  return typeof value === "string" ? value : "";
};

export const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

export const strings = (value: unknown): string[] => list(value).filter((entry) => typeof entry === "string");

/** RFC 3339 to milliseconds. */
export function instant(value: unknown): number | null {
  if (typeof value !== "string") return null;
  const at = Date.parse(value);
  return Number.isNaN(at) ? null : at;
}
