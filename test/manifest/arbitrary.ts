import fc from "fast-check";
import { tidy } from "../../src/http/body";
import { exampleOf } from "../../src/http/openapi-schema";
import { isBlank } from "../../src/http/rules";
import type { Schema } from "../../src/http/translate";
import { type Path, withField } from "./fields";

const coercing = /^(integer|numeric|number|boolean|boolean-like|ObjectString|ArrayString)$/;

/** The alternatives of a schema that are values and no coercions, and whether null is one. */
function seen(schema: Schema): { real: Schema[]; nullable: boolean } {
  const flat = (one: Schema): Schema[] => one.anyOf?.flatMap(flat) ?? [one];
  const options = flat(schema);
  const isCoercion = ({ type, format }: Schema) => type === "string" && coercing.test(format ?? "");
  return {
    real: options.filter((one) => one.type !== "null" && !(schema.anyOf && isCoercion(one))),
    nullable: options.some(({ type }) => type === "null"),
  };
}

const formats: Record<string, fc.Arbitrary<string>> = {
  email: fc.constantFrom("ann@a.example", "a+b@sub.a.example", "user@localhost"),
  uri: fc.webUrl(),
  uuid: fc.uuid(),
  date: fc.constantFrom("2026-02-19", "2024-02-29"),
  "date-time": fc.constantFrom("2026-02-19T12:00:00Z", "2026-02-19T12:00:00.123+01:00"),
};

/** JSON that is not blank: what is blank counts as absent. */
const anything = fc.jsonValue({ maxDepth: 2 }).filter((value) => !isBlank(tidy(value)));

/** Texts that no trimming changes and no purge shortens. */
const plainText = (min: number, max: number) =>
  fc
    .string({ minLength: Math.max(min, 1), maxLength: Math.min(max, Math.max(min, 40)), unit: "binary" })
    .map((text) => text.replace(/[\s\0\uFEFF\u200B\u200E]/gu, "x"));

/**
 * Values that a schema takes, as they are sent: also numbers and truth values in their other forms. A field with rules of its
 * own gets the value of the example.
 */
export function valid(schema: Schema, example = exampleOf(schema)): fc.Arbitrary<unknown> {
  const { real, nullable } = seen(schema);
  const words = real.length > 1 && real.every((one) => one.const !== undefined);
  const hasRules = [schema, ...real, ...(schema.anyOf ?? [])].some((one) => one["oa:rules"]?.length);
  const made = hasRules
    ? fc.constant(example)
    : words
      ? fc.constantFrom(...real.map((one) => one.const))
      : fc.oneof(...real.map((one) => validOne(one, example)));
  return nullable ? fc.option(made, { nil: null, freq: 6 }) : made;
}

function validOne(schema: Schema, example: unknown): fc.Arbitrary<unknown> {
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum) return fc.constantFrom(...schema.enum);
  switch (schema.type) {
    case "string": {
      if (schema.pattern) return fc.stringMatching(new RegExp(schema.pattern), { size: "small" });
      const { minLength = 0, maxLength = 1000 } = schema;
      return formats[schema.format ?? ""] ?? plainText(minLength, maxLength);
    }
    case "integer":
    case "number": {
      const { minimum = -1000, maximum = 1_000_000 } = schema;
      const number = fc.integer({ min: minimum, max: Math.min(maximum, Number.MAX_SAFE_INTEGER) });
      return fc.oneof(number, number.map(String));
    }
    case "boolean":
      return fc.constantFrom(true, false, 1, 0, "1", "0");
    case "array": {
      const { minItems = 0, maxItems = 3 } = schema;
      const size = { minLength: Math.max(minItems, 1), maxLength: Math.min(maxItems, minItems + 3) };
      return fc.array(schema.items ? valid(schema.items, part(example, 0) ?? exampleOf(schema.items)) : anything, size);
    }
    case "object": {
      if (!schema.properties)
        return fc.dictionary(fc.string({ minLength: 1 }), fc.string(), { minKeys: 1, maxKeys: 3 });
      const members = Object.entries(schema.properties).map(([name, property]) => [
        name,
        valid(property, part(example, name) ?? exampleOf(property)),
      ]);
      return fc
        .record<Record<string, unknown>, string>(Object.fromEntries(members), { requiredKeys: schema.required ?? [] })
        .filter((made) => !isBlank(made));
    }
    default:
      return formats[schema.format ?? ""] ?? anything;
  }
}

const part = (value: unknown, key: string | number): unknown =>
  typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined;

export interface Wrong {
  path: Path;
  value: unknown;
}

const kinds: Record<string, unknown[]> = {
  string: [5, true, ["a"], { a: 1 }],
  integer: ["abc", 1.5, true, [1], "01", "1e3", { a: 1 }],
  number: ["abc", true, [1], { a: 1 }],
  boolean: ["yes", 2, [true], "true", { a: 1 }],
  array: ["a", 5, true],
  object: ["a", 5, true],
};

/** Values that a field refuses: of another type, too long, out of range, not in the list. */
function refused(schema: Schema, required: boolean): unknown[] {
  const { real, nullable } = seen(schema);
  const [one] = real;
  if (!one || (!one.type && one.const === undefined && !one.enum)) return [];
  if (real.length > 1 && !real.every((each) => each.const !== undefined)) return [];
  const wrong = [...(kinds[one.type ?? "string"] ?? [])];
  if (one.const !== undefined || one.enum) wrong.push("none of these words");
  if (one.type === "string" && one.maxLength !== undefined) wrong.push("é".repeat(one.maxLength + 1));
  if (one.type === "string" && (one.minLength ?? 0) > 1) wrong.push("x".repeat((one.minLength as number) - 1));
  if (one.type === "integer" || one.type === "number") {
    if (one.minimum !== undefined) wrong.push(one.minimum - 1);
    if (one.maximum !== undefined) wrong.push(one.maximum + 1);
  }
  if (one.type === "array" && one.maxItems !== undefined) wrong.push(new Array(one.maxItems + 1).fill("a"));
  if (required && !nullable) wrong.push(null, "", "  ");
  return wrong;
}

/** One wrong value for one field that its parents lead to. */
export function wrongs(schema: Schema, at: Path = []): Wrong[] {
  const [only] = seen(schema).real;
  if (!only || seen(schema).real.length > 1) return [];
  const own = Object.entries(only.properties ?? {}).flatMap(([name, property]) => {
    const path = [...at, name];
    const values = refused(property, only.required?.includes(name) ?? false);
    return [...values.map((value) => ({ path, value })), ...wrongs(property, path)];
  });
  if (!only.items || !at.length) return own;
  const path = [...at, 0];
  return [...own, ...refused(only.items, true).map((value) => ({ path, value })), ...wrongs(only.items, path)];
}

/** A body that is right but for one field. */
export const spoiled = (schema: Schema): fc.Arbitrary<{ body: unknown; wrong: Wrong }> =>
  fc
    .tuple(valid(schema), fc.constantFrom(...wrongs(schema)))
    .map(([body, wrong]) => ({ wrong, body: withField(body, wrong.path, wrong.value) }));
