/** The API document of the whole surface (http-platform 3.9), with rules 3 and 4 of its comparison with the fixtures. */
import { afterAll, describe, expect, test } from "bun:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import Ajv from "ajv";
import { openapi } from "../../src/http/openapi";
import { exampleOf } from "../../src/http/openapi-schema";
import { translate } from "../../src/http/translate";
import { shapes } from "../../src/shapes";
import golden from "../fixtures/http-json-golden.json";
import table from "../fixtures/route-table.json";
import { wholeApp } from "../support/whole";
import known from "./gaps.json";

const whole = await wholeApp("pglite");
afterAll(() => whole.close());
const text = whole.app.openapi();

interface Media {
  schema: object;
  example?: unknown;
}
interface Operation {
  operationId: string;
  summary: string;
  tags: string[];
  security: object[];
  parameters?: { name: string; in: string; schema: object; example: unknown }[];
  requestBody?: { description?: string; content: Record<string, Media> };
  responses: Record<string, { $ref?: string; content?: Record<string, Media> }>;
  deprecated?: boolean;
  "x-oa-contract"?: string;
  "x-deprecated-reason"?: string;
}
// biome-ignore lint/suspicious/noExplicitAny: the document is looked into freely
const document = JSON.parse(text) as any;
const operations = new Map(
  Object.entries(document.paths as Record<string, Record<string, Operation>>).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): [string, Operation] => [
      `${method.toUpperCase()} ${path}`,
      operation,
    ]),
  ),
);
const each = [...operations];
const missing = new Set(Object.values(known.routes as Record<string, string[]>).flat());

const tags =
  "Auth,Chat,Autopilot,Profile,Shouts,Whispers,L402,Agent Payments,Runtime,Codex,Integrations,Policy,Sync,Control,Telemetry,Internal,Utility".split(
    ",",
  );

describe("the document as a whole", () => {
  test("begins as old clients expect, on one line", () => {
    expect(text.startsWith('{"openapi":"3.0.2"')).toBe(true);
    expect(text).not.toContain("\n");
  });

  test("is valid OpenAPI 3.0", async () => {
    const { valid, errors } = await new Validator().validate(JSON.parse(text));
    expect([valid, errors]).toEqual([true, undefined]);
  });

  test("says what it is, and where", () => {
    const { title, version, description, contact } = document.info;
    expect([title, version, contact]).toEqual([
      "OpenAgents API",
      "1.0.0",
      { name: "OpenAgents", url: "https://openagents.com" },
    ]);
    expect(description.length).toBeGreaterThan(50);
    expect(document.servers).toEqual([{ url: "http://localhost:8787", description: "Primary production server" }]);
  });

  test("tags in order, each described", () => {
    expect(document.tags.map(({ name }: { name: string }) => name)).toEqual(tags);
    for (const { description } of document.tags) expect(description).toMatch(/\w{3}/);
  });

  test("security schemes", () => {
    expect(document.security).toEqual([{ SanctumToken: [] }]);
    expect(document.components.securitySchemes).toEqual({
      SanctumToken: { type: "http", scheme: "bearer", bearerFormat: "Sanctum PAT" },
      bearerAuth: { type: "http", scheme: "bearer" },
      sessionCookie: { type: "apiKey", in: "cookie", name: "oa_access_token" },
      csrfHeader: { type: "apiKey", in: "header", name: "x-xsrf-token" },
      internalSignature: { type: "apiKey", in: "header", name: "x-oa-internal-signature" },
      svixSignature: { type: "apiKey", in: "header", name: "svix-signature" },
    });
  });

  test("components: the envelopes, every shape under its name, a response for each status of an error", () => {
    const { schemas, responses } = document.components;
    expect(schemas.ApiDataEnvelope).toBeDefined();
    expect(schemas.ApiErrorResponse).toBeDefined();
    for (const name of ["Me", "CodeRequest", "NewWorker", "ControlRequest", "PairDevice", "NewToken"])
      expect([name, schemas[name]?.type]).toEqual([name, "object"]);
    const statuses = "400,401,403,404,405,408,409,410,413,414,415,419,421,422,426,429,500,503,504".split(",");
    expect(Object.keys(responses)).toEqual(["ErrorEnvelope", ...statuses.map((status) => `Error${status}`)]);
    for (const name of Object.keys(schemas)) expect(name).toMatch(/^[A-Z][A-Za-z0-9]+$/);
  });

  test("without names of shapes it says the same", () => {
    const bare = JSON.parse(openapi(whole.app.routes, { version: "1.0.0", appUrl: "http://localhost:8787" }));
    expect(Object.keys(bare.paths)).toEqual(Object.keys(document.paths));
    expect(Object.keys(shapes).length).toBeGreaterThan(50);
  });

  test("every reference resolves, and every component is used", () => {
    const wanted = new Set([...text.matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, pointer]) => pointer as string));
    for (const pointer of wanted) {
      const found = pointer.split("/").reduce((at, key) => at?.[key], document);
      expect([pointer, found !== undefined]).toEqual([pointer, true]);
    }
    const shared = /^(ApiDataEnvelope|ApiErrorResponse)$/;
    const unused = Object.keys(document.components.schemas).filter(
      (name) => !wanted.has(`components/schemas/${name}`) && !shared.test(name),
    );
    expect(unused).toEqual([]);
  });

  test("3.0 knows no const, no null type, no type lists", () => {
    expect(text).not.toMatch(/"const":|"type":"null"|"type":\[/);
  });

  test("hides what it must", () => {
    for (const path of ["/api/chat", "/api/v1/me", "/api/admin/status", "/api/docs", "/metrics", "/healthz"])
      expect(document.paths[path]).toBeUndefined();
    for (const path of Object.keys(document.paths)) expect(path).not.toMatch(/^\/internal|^\/api\/admin\/khala/);
  });
});

describe("rule 4: the operations are those of the route table", () => {
  const hidden = /^POST \/api\/chat$|^GET \/api\/docs$|^\w+ \/api\/admin\/khala/;
  const stated = table.routes
    .filter(({ path, doc, gone }) => !gone && (path.startsWith("/api/") || doc))
    .map(({ method, path }) => `${method} ${path}`)
    .filter((key) => !hidden.test(key));

  test("each is there or a known gap, and no other", () => {
    expect(stated.filter((key) => !operations.has(key) && !missing.has(key))).toEqual([]);
    expect(each.map(([key]) => key).filter((key) => !stated.includes(key))).toEqual([]);
  });

  test("ids are unique", () => {
    const ids = each.map(([, { operationId }]) => operationId);
    expect(ids.filter((id, at) => !id || ids.indexOf(id) !== at)).toEqual([]);
  });
});

describe("rule 3: the 52 operations of the golden file", () => {
  /** Successes that are 201 on the wire. */
  const created = new Set([
    "POST /api/l402/paywalls",
    "POST /api/shouts",
    "POST /api/whispers",
    "POST /api/autopilots",
    "POST /api/autopilots/{autopilot}/threads",
  ]);

  test("are all rows of the table", () => {
    expect(golden.fixtures.length).toBe(52);
    const rows = new Set(table.routes.map(({ method, path }) => `${method} ${path}`));
    expect(golden.fixtures.filter(({ method, path }) => !rows.has(`${method} ${path}`))).toEqual([]);
  });

  test.each(golden.fixtures.map((fixture) => [`${fixture.method} ${fixture.path}`, fixture] as const))(
    "%s: there, with its tag and its statuses",
    (key, { tags: [tag], responses }) => {
      const found = operations.get(key);
      if (!found) return expect([key, missing.has(key)]).toEqual([key, true]);
      expect(found.tags).toEqual([tag as string]);
      const wanted = responses.map(({ status }) => (created.has(key) && status === "200" ? "201" : status));
      expect(wanted.filter((status) => !(status in found.responses))).toEqual([]);
    },
  );
});

/** OpenAPI 3.0's `nullable` as JSON Schema, for ajv. */
function jsonSchema(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(jsonSchema);
  if (typeof value !== "object" || value === null) return value;
  const { nullable, ...rest } = value as Record<string, unknown>;
  const inner = Object.fromEntries(Object.entries(rest).map(([key, each]) => [key, jsonSchema(each)]));
  return nullable === true && !Array.isArray(value) ? { anyOf: [inner, { enum: [null] }] } : inner;
}

describe("every operation", () => {
  const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
  ajv.addSchema({ ...(jsonSchema({ components: document.components }) as object), $id: "document" });
  const local = (schema: unknown) =>
    JSON.parse(JSON.stringify(jsonSchema(schema)).replaceAll('"$ref":"#/', '"$ref":"document#/')) as object;
  const check = (schema: object, example: unknown) => {
    const validate = ajv.compile(local(schema));
    return validate(example)
      ? []
      : (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
  };

  test.each(each)("%s is described", (key, operation) => {
    const { operationId, summary, tags: own, security } = operation;
    expect(operationId).toMatch(/^[a-z][A-Za-z0-9]+$/);
    expect(summary).toMatch(/^[A-Z].{5,}/);
    expect([own.length, tags.includes(own[0] as string)]).toEqual([1, true]);
    expect(operation["x-oa-contract"]).toMatch(/^[a-z0-9-]+\.md( \d+(\.\d+)?)?$/);
    expect(security).toBeArray();
    const auth = table.routes.find(({ method, path }) => `${method} ${path}` === key)?.auth as string;
    if (/^(user|admin|session)/.test(auth)) {
      const session = [{ bearerAuth: [] }, { sessionCookie: [], csrfHeader: [] }];
      expect(security).toEqual(auth === "session" ? session : [...session, { SanctumToken: [] }]);
    }
    if (auth === "public") expect(security).toEqual([]);
  });

  test.each(each)("%s: parameters are those of its path, each with an example", (key, { parameters = [] }) => {
    const named = [...key.matchAll(/\{(\w+)\}/g)].map(([, name]) => name as string);
    expect(parameters.filter((each) => each.in === "path").map(({ name }) => name)).toEqual(named);
    for (const { name, schema, example } of parameters) expect([name, check(schema, example)]).toEqual([name, []]);
  });

  test.each(each)("%s: examples of request and success are what the schemas say", (key, operation) => {
    const { requestBody, responses } = operation;
    const request = requestBody?.content["application/json"];
    if (request) expect([request.example !== undefined, check(request.schema, request.example)]).toEqual([true, []]);
    const successes = Object.entries(responses).filter(([status]) => status < "300");
    if (key !== "GET /api/chat/guest-session") expect(successes.length).toBeGreaterThan(0);
    for (const [status, { content }] of Object.entries(responses)) {
      const media = content?.["application/json"];
      if (!media) continue;
      expect([status, media.example !== undefined, check(media.schema, media.example)]).toEqual([status, true, []]);
    }
  });

  test("examples of bodies pass the checks of their routes", () => {
    for (const { method, path, body } of whole.app.routes.values()) {
      if (!body?.properties) continue;
      const { errors } = translate(body, exampleOf(body) as Record<string, unknown>);
      expect([method, path, errors]).toEqual([method, path, {}]);
    }
  });

  test("examples of the shared errors are what the envelope says", () => {
    for (const { content } of Object.values(document.components.responses as Operation["responses"])) {
      const media = content?.["application/json"] as Media;
      expect(check(media.schema, media.example)).toEqual([]);
    }
  });

  test("what is retired says so and why", () => {
    const retired = /^\w+ \/api\/(v1\/auth\/|chat\/stream$|chats|chat\/guest-session$)/;
    for (const [key, operation] of each) {
      expect([key, operation.deprecated === true]).toEqual([key, retired.test(key)]);
      if (operation.deprecated) expect(operation["x-deprecated-reason"]?.length ?? 0).toBeGreaterThan(10);
    }
  });

  test("the retired stream names the payment options of its old clients", () => {
    const { requestBody } = operations.get("POST /api/chats/{conversationId}/stream") as Operation;
    for (const word of ["maxSpendMsats", "maxSpendSats", "requireApproval", "approvalRequired"])
      expect(requestBody?.description).toContain(word);
  });
});
