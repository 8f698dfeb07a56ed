import type { Schema } from "./translate";

/** The wire shapes that have a name, and those of them that the document uses: its components. */
export interface Shapes {
  names: Map<unknown, string>;
  used: Record<string, unknown>;
}

/** Shapes by their names in the code; names in lower case are parts, which have none on the wire. */
export const namedShapes = (exported: Record<string, unknown>): Shapes => ({
  names: new Map(
    Object.entries(exported)
      .filter(([name]) => /^[A-Z]/.test(name))
      .map(([name, shape]) => [shape, name]),
  ),
  used: {},
});

type Open = Record<string, unknown>;

const coerced = new Set(["integer", "numeric", "number", "boolean", "boolean-like", "ObjectString", "ArrayString"]);
const kept = [
  "type",
  "description",
  "minLength",
  "maxLength",
  "minimum",
  "maximum",
  "minItems",
  "maxItems",
  "pattern",
  "format",
  "default",
  "required",
] as const;

/**
 * JSON Schema of TypeBox as OpenAPI 3.0 knows it: no `const`, no null type, no coercion unions (http-platform 3.9). A shape
 * with a name, its own or `name`, becomes a component.
 */
export function plainSchema(schema: Schema, shapes: Shapes, name?: string): Open {
  const free = name && ![...shapes.names.values()].includes(name) ? name : undefined;
  const known = shapes.names.get(schema) ?? free;
  if (!known) return bare(schema, shapes);
  if (!shapes.used[known]) {
    shapes.names.set(schema, known);
    shapes.used[known] = {};
    shapes.used[known] = bare(schema, shapes);
  }
  return { $ref: `#/components/schemas/${known}` };
}

function bare(schema: Schema, shapes: Shapes): Open {
  const options = (schema.anyOf ?? []).filter(
    (option) => !(option.type === "string" && coerced.has(option.format ?? "")),
  );
  if (options.length) return union(schema, options, shapes);
  if (schema.const !== undefined) return { type: typeof schema.const, enum: [schema.const] };
  if (schema.type === "null") return { nullable: true, enum: [null] };
  const out: Open = {};
  for (const key of kept) {
    const value = (schema as Open)[key];
    if (value !== undefined && !(key === "required" && !(value as unknown[]).length)) out[key] = value;
  }
  if (schema.enum) out.enum = schema.enum;
  if (schema.properties) {
    out.properties = Object.fromEntries(
      Object.entries(schema.properties).map(([name, inner]) => [name, plainSchema(inner, shapes)]),
    );
  }
  if (schema.items) out.items = plainSchema(schema.items, shapes);
  const values = schema.patternProperties ? Object.values(schema.patternProperties)[0] : schema.additionalProperties;
  if (typeof values === "object") out.additionalProperties = plainSchema(values, shapes);
  const examples = (schema as { examples?: unknown[] }).examples;
  if (examples?.length) out.example = examples[0];
  return out;
}

function union(schema: Schema, options: Schema[], shapes: Shapes): Open {
  const real = options.filter((option) => option.type !== "null");
  const nullable = real.length < options.length ? { nullable: true } : {};
  const described = (schema as Open).description ? { description: (schema as Open).description } : {};
  if (real.length > 0 && real.every((option) => option.const !== undefined)) {
    return {
      type: typeof real[0]?.const,
      enum: [...real.map((option) => option.const), ...(real.length < options.length ? [null] : [])],
      ...nullable,
      ...described,
    };
  }
  const [only] = real;
  if (real.length === 1 && only) {
    const inner = plainSchema(only, shapes);
    return "$ref" in inner ? { allOf: [inner], ...nullable, ...described } : { ...inner, ...nullable, ...described };
  }
  return { anyOf: real.map((option) => plainSchema(option, shapes)), ...nullable, ...described };
}

const samples: Record<string, unknown> = {
  email: "chris@openagents.com",
  uri: "https://example.com",
  uuid: "0195f0c0-0000-7000-8000-000000000000",
  date: "2026-02-19",
  "date-time": "2026-02-19T12:00:00Z",
};

/** A value that the schema accepts: its own example where it has one, else made from its parts. */
export function exampleOf(schema: Schema): unknown {
  const { examples, default: fallback } = schema as { examples?: unknown[]; default?: unknown };
  if (examples?.length) return examples[0];
  if (schema.anyOf) {
    const real = schema.anyOf.filter((option) => !(option.type === "string" && coerced.has(option.format ?? "")));
    return exampleOf(real.find((option) => option.type !== "null") ?? real[0] ?? {});
  }
  if (fallback !== undefined) return fallback;
  if (schema.const !== undefined) return schema.const;
  if (schema.enum?.length) return schema.enum[0];
  switch (schema.type) {
    case "object":
      return Object.fromEntries(
        Object.entries(schema.properties ?? {}).map(([name, inner]) => [name, exampleOf(inner)]),
      );
    case "array":
      return schema.items ? [exampleOf(schema.items)] : [];
    case "integer":
    case "number":
      return Math.max(schema.minimum ?? 1, 1);
    case "boolean":
      return true;
    case "null":
      return null;
    case "string":
      return samples[schema.format ?? ""] ?? "text".padEnd(schema.minLength ?? 0, "x").slice(0, schema.maxLength);
    default:
      return {};
  }
}
