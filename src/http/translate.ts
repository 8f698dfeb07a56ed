import { asBoolean, formatFailure, isBlank, isNumeric, type Kind, sizeFailures, textOf, typeFailure } from "./rules";

/** As much of JSON Schema as the product's shapes use, with the keywords of http-platform 3.2. */
export interface Schema {
  type?: string;
  description?: string;
  anyOf?: Schema[];
  const?: unknown;
  enum?: unknown[];
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  additionalProperties?: boolean | Schema;
  patternProperties?: Record<string, Schema>;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  minItems?: number;
  maxItems?: number;
  pattern?: string;
  format?: string;
  default?: unknown;
  "oa:message"?: Record<string, string>;
  "oa:rules"?: ((value: unknown, siblings: Record<string, unknown>) => string | undefined)[];
}

interface Shape {
  kind: Kind;
  nullable: boolean;
  words: unknown[] | null;
  schema: Schema;
}

const shapes = new WeakMap<Schema, Shape>();
const coerced = new Set(["integer", "numeric", "number", "boolean", "boolean-like"]);

/** What a schema asks of a value, seen through null unions and the unions that stand for coercion. */
function shapeOf(schema: Schema): Shape {
  const known = shapes.get(schema);
  if (known) return known;
  const shape = readShape(schema);
  shapes.set(schema, shape);
  return shape;
}

function readShape(schema: Schema): Shape {
  const options = (schema.anyOf ?? []).filter((option) => option.type !== "null");
  const nullable = options.length !== (schema.anyOf?.length ?? 0);
  const real = options.filter((option) => !(option.type === "string" && option.format && coerced.has(option.format)));
  const words =
    real.length > 0 && real.every((option) => option.const !== undefined) ? real.map((option) => option.const) : null;
  if (words) return { kind: "string", nullable, words, schema };
  if (real.length === 1) {
    const inner = readShape({
      ...real[0],
      "oa:message": schema["oa:message"],
      "oa:rules": schema["oa:rules"],
    } as Schema);
    return { ...inner, nullable: nullable || inner.nullable };
  }
  if (real.length > 1) return { kind: "any", nullable, words: null, schema };
  if (schema.const !== undefined) return { kind: "string", nullable, words: [schema.const], schema };
  if (schema.enum) return { kind: "string", nullable, words: schema.enum, schema };
  return { kind: (schema.type as Kind | undefined) ?? "any", nullable, words: null, schema };
}

export interface Translation {
  errors: Record<string, string[]>;
  value: Record<string, unknown>;
}

/**
 * Checks a cleaned value against an object schema, all fields in order, with the contract's texts (http-platform 3.1, 3.2).
 * `value` holds what the handler gets: known properties only, numbers and booleans coerced.
 */
export function translate(schema: Schema, value: Record<string, unknown>): Translation {
  const errors: Record<string, string[]> = {};
  const later: (() => void)[] = [];
  const out = object(schema, value, "", { errors, later });
  for (let i = 0; i < later.length; i++) (later[i] as () => void)();
  return { errors, value: out };
}

interface Walk {
  errors: Record<string, string[]>;
  /** Items of arrays: they come after all plain fields, by index. */
  later: (() => void)[];
}

function object(schema: Schema, value: unknown, path: string, walk: Walk): Record<string, unknown> {
  const given =
    typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
  if (!schema.properties) return given;
  const out: Record<string, unknown> = {};
  for (const [key, property] of Object.entries(schema.properties)) {
    const at = path ? `${path}.${key}` : key;
    const required = schema.required?.includes(key) ?? false;
    const present = Object.hasOwn(given, key);
    const result = field(property, present ? given[key] : undefined, present, required, given, at, walk);
    if (result !== undefined) out[key] = result;
  }
  return out;
}

const snake = (path: string) =>
  path
    .replace(/(?<=.)([A-Z])/g, "_$1")
    .toLowerCase()
    .replaceAll("_", " ");
const isItem = (path: string) => /\.\d+(\.|$)/.test(path);

/** How a field is called in messages: snake case with blanks; items keep their raw path. */
const nameOf = (path: string) => (isItem(path) ? path : snake(path));

function field(
  property: Schema,
  value: unknown,
  present: boolean,
  required: boolean,
  siblings: Record<string, unknown>,
  path: string,
  walk: Walk,
): unknown {
  const shape = shapeOf(property);
  const { schema, kind, nullable, words } = shape;
  const texts = schema["oa:message"] ?? {};
  const failures: string[] = [];
  const fail = (rule: string, text: string) => failures.push(texts[rule] ?? text);
  const sentence = (text: string) => `The ${nameOf(path)} field ${text}`;
  const done = (result: unknown) => {
    if (failures.length) walk.errors[path] = [...(walk.errors[path] ?? []), ...failures];
    return result;
  };
  if (required && !nullable && isBlank(value)) {
    fail("required", sentence("is required."));
    done(undefined);
    if (kind === "object") object(schema, {}, path, walk);
    return undefined;
  }
  if (!present || value === undefined) return schema.default ?? (required ? null : undefined);
  if (value === null && nullable) return null;

  const wrongType = words ? typeFailure("string", value) : typeFailure(kind, value);
  if (wrongType) fail(wrongType.rule, sentence(wrongType.text));
  if (words && !words.map(String).includes(textOf(value) ?? "")) fail("in", `The selected ${nameOf(path)} is invalid.`);
  if (!words) {
    const [min, max] = bounds(schema, kind, required);
    for (const { rule, text } of sizeFailures(kind, value, min, max)) fail(rule, sentence(text));
    const text = textOf(value);
    if (schema.pattern && (text === null || !new RegExp(schema.pattern, "u").test(text)))
      fail("regex", sentence("format is invalid."));
    const wrongFormat = schema.format ? formatFailure(schema.format, value) : null;
    if (wrongFormat) fail(wrongFormat.rule, sentence(wrongFormat.text));
  }
  if (!failures.length) {
    for (const rule of schema["oa:rules"] ?? []) {
      const text = rule(value, siblings);
      if (text) failures.push(text);
    }
  }
  if (failures.length) return done(undefined);
  return convert(schema, kind, value, path, walk);
}

function bounds(schema: Schema, kind: Kind, required: boolean): [number | undefined, number | undefined] {
  if (kind === "integer" || kind === "number") return [schema.minimum, schema.maximum];
  if (kind === "array") return [schema.minItems, schema.maxItems];
  const min = required && schema.minLength === 1 ? undefined : schema.minLength;
  return [min, schema.maxLength];
}

function convert(schema: Schema, kind: Kind, value: unknown, path: string, walk: Walk): unknown {
  if (kind === "integer" || kind === "number") return isNumeric(value) ? Number(value) : value;
  if (kind === "boolean") return asBoolean(value);
  if (kind === "object" && schema.properties) return object(schema, value, path, walk);
  if (kind === "object") return Array.isArray(value) ? { ...value } : value;
  if (kind !== "array" || !schema.items) return value;
  const items = Array.isArray(value) ? value : Object.values(value as object);
  const out: unknown[] = new Array(items.length);
  const itemSchema = schema.items;
  walk.later.push(() => {
    items.forEach((item, i) => {
      const at = `${path}.${i}`;
      out[i] = item === undefined ? undefined : field(itemSchema, item, true, false, {}, at, walk);
    });
  });
  return out;
}
