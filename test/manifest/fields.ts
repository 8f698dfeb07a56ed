import type { Schema } from "../../src/http/translate";

/** The place of a field in a body: keys and, for items, positions. */
export type Path = (string | number)[];

/** Every field that a schema names, with the fields inside objects and items. */
export function fieldsOf(schema: Schema, at: Path = []): { path: Path; schema: Schema }[] {
  const inner = schema.anyOf?.find(({ type }) => type === "object" || type === "array");
  if (inner) return fieldsOf(inner, at);
  const properties = Object.entries(schema.properties ?? {}).flatMap(([name, property]) => [
    { path: [...at, name], schema: property },
    ...fieldsOf(property, [...at, name]),
  ]);
  if (!schema.items) return properties;
  return [...properties, { path: [...at, 0], schema: schema.items }, ...fieldsOf(schema.items, [...at, 0])];
}

/** A copy of `body` with `value` at `path`. */
export function withField(body: unknown, path: Path, value: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  const holder = typeof body === "object" && body !== null ? body : typeof key === "number" ? [] : {};
  const inner = withField((holder as Record<string, unknown>)[key], rest, value);
  if (!Array.isArray(holder)) return { ...holder, [key]: inner };
  const copy = [...holder];
  copy[Number(key)] = inner;
  return copy;
}

/** `levels` arrays inside each other. */
export const nested = (levels: number): unknown => {
  let value: unknown = "deep";
  for (let level = 0; level < levels; level++) value = [value];
  return value;
};

type Odd = [name: string, value: unknown];

/** One value of each type, and what no text should hold: for every field. */
export const wrongTypes: Odd[] = [
  ["null", null],
  ["true", true],
  ["a negative fraction", -1.5],
  ["control characters", "\u0000\u0001\u001b[31m\r\nx-planted: 1\u007f\u0085\u2028"],
  ["a list of everything", [null, true, 1, "a", [], {}]],
  ["an object with odd keys", { "": 1, "a.b": 2, "0": 3, __proto__x: 4, length: 5, toString: 6 }],
  ["60 levels", nested(60)],
];

/** Further values that no field is prepared for. */
export const oddValues: Odd[] = [
  ["zero", 0],
  ["a number beyond 2^53", 2 ** 53 + 2],
  ["a number beyond a double", JSON.parse("1e400")],
  ["a huge integer as text", "99999999999999999999999999"],
  ["an empty text", ""],
  ["blanks", " \u00a0\ufeff\u200b "],
  ["a long text", "x".repeat(70_000)],
  ["a lone surrogate", "\ud800 and \udfff"],
  ["what turns the text", "\u202eabc\u2066\u2069"],
  ["SQL", "'; drop table users; --"],
  ["a pattern", "%_\\%$1{0}(("],
  ["an empty list", []],
  ["an empty object", {}],
];
