import { afterAll, describe, expect, test } from "bun:test";
import { chatThreads, codexAccess, codexApi } from "../../src/codex";
import { openapi } from "../../src/http/openapi";
import { exampleOf } from "../../src/http/openapi-schema";
import { type Schema, translate } from "../../src/http/translate";
import { identityApi } from "../../src/identity";
import golden from "../fixtures/http-json-golden.json";
import { testApp } from "../support/app";

const app = await testApp("pglite", {
  domains: (ctx) => [
    identityApi(ctx, {
      chatThreads: (userId, limit) => chatThreads(ctx, userId, limit),
      codexAccess: (userId) => codexAccess(ctx, userId),
    }),
    codexApi(ctx),
  ],
});
afterAll(() => app.close());
const table = app.composed.routes;
const text = openapi(table, { version: "1.0.0", appUrl: "http://localhost:8787" });
// biome-ignore lint/suspicious/noExplicitAny: the document is looked into freely
const document = JSON.parse(text) as any;
type Operation = {
  operationId: string;
  summary: string;
  tags: string[];
  responses: Record<string, unknown>;
  deprecated?: boolean;
  "x-oa-contract"?: string;
  "x-deprecated-reason"?: string;
};
const operations = Object.entries(document.paths as Record<string, Record<string, Operation>>).flatMap(
  ([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
);

describe("the document (http-platform 3.9)", () => {
  test("begins as old clients expect, on one line", () => {
    expect(text.startsWith('{"openapi":"3.0.2"')).toBe(true);
    expect(text).not.toContain("\n");
    expect(document.info.title).toBe("OpenAgents API");
    expect(document.components.securitySchemes.SanctumToken).toEqual({
      type: "http",
      scheme: "bearer",
      bearerFormat: "Sanctum PAT",
    });
  });

  test("operation ids are there and unique; every operation has summary, one known tag and its contract", () => {
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(ids.filter((id) => !id)).toEqual([]);
    expect(new Set(ids).size).toBe(ids.length);
    const known = new Set((document.tags as { name: string }[]).map(({ name }) => name));
    for (const { path, method, operation } of operations) {
      expect([
        method,
        path,
        Boolean(operation.summary),
        operation.tags.length,
        known.has(operation.tags[0] as string),
        Boolean(operation["x-oa-contract"]),
      ]).toEqual([method, path, true, 1, true, true]);
    }
  });

  test("what must be hidden is hidden", () => {
    expect(document.paths["/api/chat"]).toBeUndefined();
    for (const path of ["/api/v1/me", "/api/admin/status", "/api/docs"]) expect(document.paths[path]).toBeUndefined();
    for (const { path } of operations) expect(path.startsWith("/internal")).toBe(false);
  });

  test("retired routes are marked", () => {
    const retired = operations.filter(({ path }) => /^\/api\/(chats|chat\/)/.test(path));
    expect(retired.length).toBeGreaterThan(6);
    for (const { operation } of retired)
      expect([operation.operationId, operation.deprecated]).toEqual([operation.operationId, true]);
  });

  test("every reference resolves", () => {
    const wanted = [...text.matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, pointer]) => (pointer as string).split("/"));
    for (const path of wanted) {
      expect(
        path.reduce(
          (at: Record<string, unknown> | undefined, key) => at?.[key] as Record<string, unknown> | undefined,
          document,
        ),
      ).toBeDefined();
    }
  });

  test("3.0 knows no const, no null type, no type lists", () => {
    expect(text).not.toMatch(/"const":|"type":"null"|"type":\[/);
  });

  test("examples of request bodies pass the checks of their routes", () => {
    for (const route of table.values()) {
      if (!route.body?.properties) continue;
      const example = exampleOf(route.body as Schema) as Record<string, unknown>;
      expect([route.method, route.path, translate(route.body as Schema, example).errors]).toEqual([
        route.method,
        route.path,
        {},
      ]);
    }
  });

  test("operations of the golden file that exist here carry its tag", () => {
    const { fixtures } = golden;
    expect(fixtures.length).toBeGreaterThan(0);
    for (const fixture of fixtures) {
      const found = operations.find(({ path, method }) => path === fixture.path && method === fixture.method);
      const [tag] = fixture.tags;
      if (found && tag) expect([fixture.path, found.operation.tags[0]]).toEqual([fixture.path, tag]);
    }
  });
});
