/** A JSON value with the keys of every object in order. */
export function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}

const step = (key: string | number) => `/${String(key).replaceAll("~", "~0").replaceAll("/", "~1")}`;

/** JSON pointers (RFC 6901) at which two values differ, with what is different. */
export function differences(before: unknown, after: unknown, pointer = ""): string[] {
  if (Object.is(before, after)) return [];
  const both = [before, after];
  if (
    both.every((value) => typeof value === "object" && value !== null) &&
    Array.isArray(before) === Array.isArray(after)
  ) {
    const [a, b] = both as Record<string, unknown>[];
    const keys = new Set([...Object.keys(a as object), ...Object.keys(b as object)]);
    return [...keys].flatMap((key) => {
      const at = pointer + step(key);
      if (!Object.hasOwn(a as object, key)) return [`${at} added`];
      if (!Object.hasOwn(b as object, key)) return [`${at} removed`];
      return differences(a?.[key], b?.[key], at);
    });
  }
  const short = (value: unknown) => JSON.stringify(value)?.slice(0, 60);
  return [`${pointer || "/"} ${short(before)} → ${short(after)}`];
}
