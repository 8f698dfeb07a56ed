/** What holds of the translator for any schema and any JSON (http-platform 3.1, 3.2). */
import { describe, expect, test } from "bun:test";
import { type TSchema, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import fc from "fast-check";
import { tidy } from "../../src/http/body";
import { type Schema, translate } from "../../src/http/translate";
import { invalidFields } from "../../src/refusal";
import { valid, wrongs } from "./arbitrary";
import { fieldsOf } from "./fields";

const name = fc.constantFrom("name", "email", "recipientId", "scopes", "limit", "policy", "status");

const bounds = (max: number) =>
  fc.tuple(fc.nat(max), fc.nat(max)).map(([a, b]): [number, number] => (a < b ? [a, b] : [b, a]));

const leaf: fc.Arbitrary<TSchema> = fc.oneof(
  bounds(6).map(([minLength, maxLength]) => Type.String({ minLength, maxLength: maxLength + 1 })),
  fc.constantFrom("email", "uri", "uuid", "date", "date-time").map((format) => Type.String({ format })),
  fc.constant(Type.String({ pattern: "^[a-z]{1,4}$", examples: ["abc"] })),
  bounds(50).map(([minimum, maximum]) => Type.Integer({ minimum, maximum })),
  fc.constant(Type.Number({ minimum: -5 })),
  fc.constant(Type.Boolean()),
  fc.constant(Type.Union([Type.Literal("red"), Type.Literal("green")])),
  fc.constant(Type.Record(Type.String(), Type.Unknown())),
  fc.constant(Type.Unknown()),
);

const { field } = fc.letrec<{ field: TSchema; object: TSchema }>((tie) => ({
  object: fc
    .uniqueArray(fc.tuple(name, tie("field"), fc.boolean()), { minLength: 1, maxLength: 4, selector: ([key]) => key })
    .map((members) =>
      Type.Object(
        Object.fromEntries(members.map(([key, inner, optional]) => [key, optional ? Type.Optional(inner) : inner])),
      ),
    ),
  field: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    leaf,
    leaf.map((inner) => Type.Union([inner, Type.Null()])),
    tie("object"),
    fc
      .tuple(tie("field"), bounds(3))
      .map(([items, [minItems, maxItems]]) => Type.Array(items, { minItems, maxItems: maxItems + 1 })),
  ),
}));

const body = fc
  .uniqueArray(fc.tuple(name, field, fc.boolean()), { minLength: 1, maxLength: 5, selector: ([key]) => key })
  .map(
    (members) =>
      Type.Object(
        Object.fromEntries(members.map(([key, inner, optional]) => [key, optional ? Type.Optional(inner) : inner])),
      ) as TSchema & Schema,
  );

/** A body of a schema: right, right but for one field, or anything. */
const bodyOf = (schema: Schema) => {
  const found = wrongs(schema);
  const anything = fc.oneof(
    fc.dictionary(name, fc.jsonValue({ maxDepth: 3 })),
    fc.dictionary(fc.string(), fc.jsonValue()),
  );
  const near = fc.tuple(valid(schema), name, fc.jsonValue({ maxDepth: 2 })).map(([right, key, value]) => ({
    ...(right as object),
    [key]: value,
  }));
  return fc.oneof(valid(schema), near, anything, ...(found.length ? [valid(schema)] : []));
};

const clean = (value: unknown) => tidy(value) as Record<string, unknown>;
const both = body.chain((schema) => fc.tuple(fc.constant(schema), bodyOf(schema)));
const runs = { numRuns: 150 };

/** The schema without what TypeBox would check in its own way. */
function shapeOnly<T>(schema: T): T {
  if (Array.isArray(schema)) return schema.map(shapeOnly) as T;
  if (typeof schema !== "object" || schema === null) return schema;
  const { format: _f, pattern: _p, minLength: _min, maxLength: _max, ...rest } = schema as Record<string, unknown>;
  const kept = Object.fromEntries(Object.entries(rest).map(([key, inner]) => [key, shapeOnly(inner)]));
  for (const symbol of Object.getOwnPropertySymbols(schema)) {
    Object.assign(kept, { [symbol]: (schema as Record<symbol, unknown>)[symbol] });
  }
  return kept as T;
}

describe("the translator", () => {
  test("takes every value that is made from the schema", () => {
    const right = body.chain((schema) => fc.tuple(fc.constant(schema), valid(schema)));
    fc.assert(
      fc.property(right, ([schema, value]) => expect(translate(schema, clean(value)).errors).toEqual({})),
      runs,
    );
  });

  test("never throws, and gives no field a list of errors that is empty", () => {
    fc.assert(
      fc.property(both, ([schema, value]) => {
        for (const texts of Object.values(translate(schema, clean(value)).errors))
          expect(texts.length).toBeGreaterThan(0);
      }),
      runs,
    );
  });

  test("hands on what the schema's type says, or an error", () => {
    fc.assert(
      fc.property(both, ([schema, sent]) => {
        const { errors, value } = translate(schema, clean(sent));
        if (Object.keys(errors).length) return;
        const wrong = [...Value.Errors(shapeOnly(schema), value)].map(({ path, message }) => `${path}: ${message}`);
        expect(wrong).toEqual([]);
      }),
      runs,
    );
  });

  test("has nothing to say about what it has handed on, and hands it on again", () => {
    fc.assert(
      fc.property(both, ([schema, sent]) => {
        const first = translate(schema, clean(sent));
        if (Object.keys(first.errors).length) return;
        const again = translate(schema, first.value);
        // A list where an object may stand is handed on as the object it is; without members that is blank.
        const texts = Object.values(again.errors).flat();
        expect(texts.filter((text) => !text.endsWith("field is required."))).toEqual([]);
        if (!texts.length) expect(again.value).toEqual(first.value);
      }),
      runs,
    );
  });

  test("drops what the schema does not name", () => {
    fc.assert(
      fc.property(both, ([schema, sent]) => {
        const { value } = translate(schema, clean({ ...(sent as object), unknown_field: 1 }));
        expect(Object.keys(value).filter((key) => !(key in (schema.properties ?? {})))).toEqual([]);
      }),
      runs,
    );
  });

  test("names fields of the schema only, plain ones in declared order, then items", () => {
    fc.assert(
      fc.property(both, ([schema, sent]) => {
        const fields = fieldsOf(schema).map(({ path }) =>
          path.map((key) => (typeof key === "number" ? "#" : key)).join("/"),
        );
        const keys = Object.keys(translate(schema, clean(sent)).errors);
        const plain = fieldsOf(schema)
          .filter(({ path }) => path.every((key) => typeof key === "string"))
          .map(({ path }) => path.join("."));
        const order = keys.filter((key) => plain.includes(key)).map((key) => plain.indexOf(key));
        expect(order).toEqual(order.toSorted((a, b) => a - b));
        expect(fields.length).toBeGreaterThan(0);
      }),
      runs,
    );
  });

  test("a summary counts every message", () => {
    const errors = fc.dictionary(name, fc.array(fc.string({ minLength: 1 }), { minLength: 1 }), { minKeys: 1 });
    fc.assert(
      fc.property(errors, (given) => {
        const all = Object.values(given).flat();
        const more = all.length - 1;
        const ending = more === 0 ? "" : more === 1 ? " (and 1 more error)" : ` (and ${more} more errors)`;
        expect(invalidFields(given).message).toBe(`${all[0]}${ending}`);
      }),
    );
  });
});
