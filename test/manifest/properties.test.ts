/**
 * Bodies made from each route's own schema: what the schema takes is never refused for its shape, what it does not take is
 * refused with a text of the contract's list, and nothing is ever an error of ours.
 */
import { afterAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { tidy } from "../../src/http/body";
import { type Schema, translate } from "../../src/http/translate";
import { engines } from "../support/database";
import { spoiled, valid, wrongs } from "./arbitrary";
import { type Asking, type Case, pathOf, startAsking } from "./asking";
import { fieldsOf } from "./fields";

/** The texts of http-platform 3.1. */
const listed = [
  /^The .+ field is (required|required when .+ is not present|prohibited)\.$/,
  /^The .+ field prohibits .+ from being present\.$/,
  /^The .+ field must be (a string|an integer|a number|true or false|an array|a list)\.$/,
  /^The .+ field must not be greater than \d+( characters)?\.$/,
  /^The .+ field must not have more than \d+ items\.$/,
  /^The .+ field must (be at least -?\d+( characters)?|have at least \d+ items)\.$/,
  /^The .+ field must be a valid (email address|URL|UUID|date)\.$/,
  /^The .+ field format is invalid\.$/,
  /^The .+ field must start with one of the following: .+\.$/,
  /^The selected .+ is invalid\.$/,
];

/** Texts that a schema has of its own. */
function ownTexts(schema: Schema): string[] {
  const texts = fieldsOf(schema).flatMap(({ schema: field }) =>
    [field, ...(field.anyOf ?? [])].flatMap((one) => Object.values(one["oa:message"] ?? {})),
  );
  return [...Object.values(schema["oa:message"] ?? {}), ...texts];
}

const clean = (body: unknown) => tidy(body) as Record<string, unknown>;
const askings: Asking[] = [];
for (const engine of engines) askings.push(await startAsking(engine));
afterAll(async () => {
  for (const { app } of askings) await app.close();
});
const bodied = (asking: Asking): Case[] => asking.bodied.filter(({ route }) => route.body?.properties);
const schemas = bodied(askings[0] as Asking).map(({ key, route }): [string, Schema] => [key, route.body as Schema]);

describe("the translator, on every body", () => {
  test.each(schemas)("%s takes what its schema takes", (_key, schema) => {
    fc.assert(
      fc.property(valid(schema), (body) => {
        expect(translate(schema, clean(body)).errors).toEqual({});
      }),
      { numRuns: 60 },
    );
  });

  test.each(schemas.filter(([, schema]) => wrongs(schema).length))("%s refuses one wrong field", (_key, schema) => {
    const own = new Set(ownTexts(schema));
    fc.assert(
      fc.property(spoiled(schema), ({ body, wrong }) => {
        const { errors } = translate(schema, clean(body));
        const at = wrong.path.join(".");
        expect([
          at,
          wrong.value,
          Object.keys(errors).filter((key) => key === at || key.startsWith(`${at}.`)).length > 0,
        ]).toEqual([at, wrong.value, true]);
        for (const text of Object.values(errors).flat()) {
          expect([text, own.has(text) || listed.some((form) => form.test(text))]).toEqual([text, true]);
        }
      }),
      { numRuns: 100 },
    );
  });
});

for (const asking of askings) {
  const { ask, problems } = asking;
  describe(`every route with a body, on ${asking.app.ctx.store.kind}`, () => {
    for (const one of bodied(asking)) {
      const schema = one.route.body as Schema;
      test(`${one.key} never fails`, async () => {
        const right = valid(schema).map((body) => ({ body, shape: true }));
        const either = wrongs(schema).length
          ? fc.oneof(
              right,
              spoiled(schema).map(({ body }) => ({ body, shape: false })),
            )
          : right;
        await fc.assert(
          fc.asyncProperty(either, async ({ body, shape }) => {
            const answer = await ask(one, JSON.stringify(body), { body, path: pathOf(one.row, "made-up-1") });
            expect(problems()).toEqual([]);
            if (shape) return;
            expect([
              answer.status,
              [401, 403, 404, 409, 422, 503].includes(answer.status) || ownStatus.has(`${one.key} ${answer.status}`),
            ]).toEqual([answer.status, true]);
            if (answer.status !== 422) return;
            const { message, error, errors = {} } = answer.json;
            const all = Object.values(errors).flat() as string[];
            if (all.length) {
              const more = all.length - 1;
              expect(message).toBe(
                more ? `${all[0]} (and ${more} more error${more > 1 ? "s" : ""})` : (all[0] as string),
              );
            }
            expect(error.message).toBe(message);
          }),
          { numRuns: 12 },
        );
      });
    }
  });
}

/** Wrong fields that are answered otherwise than 422. */
const ownStatus = new Set(["POST /api/pair/token 400"]);
