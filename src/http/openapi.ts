import { openPath } from "./manifest";
import { contracts } from "./openapi-contracts";
import { errorResponses, errorStatuses } from "./openapi-errors";
import { exampleOf, namedShapes, plainSchema, type Shapes } from "./openapi-schema";
import type { Route, RouteTable } from "./routes";
import type { Schema } from "./translate";

const tags: [name: string, description: string][] = [
  ["Auth", "Sign-in, sessions and tokens"],
  ["Chat", "Retired chat routes and their successors"],
  ["Autopilot", "Autopilots and their threads"],
  ["Profile", "The signed-in person's profile"],
  ["Shouts", "Public feed"],
  ["Whispers", "Private messages"],
  ["L402", "Lightning paywalls and receipts"],
  ["Agent Payments", "Wallets and payments"],
  ["Runtime", "Tools, skills and drivers"],
  ["Codex", "Workers, threads and turns"],
  ["Integrations", "Connected services"],
  ["Policy", "Organisations and policy"],
  ["Sync", "Live delivery over Khala"],
  ["Control", "Operation of this server"],
  ["Telemetry", "Product and client telemetry"],
  ["Internal", "Signed internal routes"],
  ["Utility", "Everything else"],
];

const successTexts: Record<string, string> = {
  "200": "Done",
  "201": "Created",
  "202": "Accepted",
  "204": "Done, nothing to say",
  "302": "Redirect",
  "303": "Redirect",
  "400": "Refused, in the words of the device grant",
  "410": "Gone",
};

/** Operations that exist but are no part of the document (http-platform 3.9). */
const hidden = (route: Route): boolean =>
  route.detail.hide === true ||
  !(route.path.startsWith("/api/") || route.detail.doc === true) ||
  (route.method === "POST" && route.path === "/api/chat") ||
  route.path === "/api/docs" ||
  route.path.startsWith("/api/admin/khala");

/** How a handler's own proof is called in the document; what has no scheme is told in words. */
const proofs: Record<string, Record<string, never[]>[]> = {
  "sync token": [{ bearerAuth: [] }],
  HMAC: [{ internalSignature: [] }],
  svix: [{ svixSignature: [] }],
};

function security(route: Route) {
  const { guard, maybe, proof } = route.declared;
  if (proof) return proofs[proof] ?? [];
  if (!guard) return maybe ? [{ bearerAuth: [] }, { sessionCookie: [], csrfHeader: [] }, {}] : [];
  const session = [{ bearerAuth: [] }, { sessionCookie: [], csrfHeader: [] }];
  return guard === "session" ? session : [...session, { SanctumToken: [] }];
}

function parameters(route: Route, shapes: Shapes) {
  const path = [...route.path.matchAll(/:([A-Za-z_]\w*)/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
    example: /digits|token_?id|eventid/i.test(name as string) ? "12" : "example",
  }));
  const query = Object.entries(route.query?.properties ?? {}).map(([name, schema]) => ({
    name,
    in: "query",
    required: route.query?.required?.includes(name) ?? false,
    schema: plainSchema(schema, shapes),
    example: exampleOf(schema),
  }));
  return [...path, ...query];
}

const content = (schema: Schema, shapes: Shapes, name: string) => ({
  "application/json": { schema: plainSchema(schema, shapes, name), example: exampleOf(schema) },
});

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

function operation(route: Route, shapes: Shapes) {
  const { operationId, summary, description, deprecated, tags: own } = route.detail as Record<string, unknown>;
  const name = capital(String(operationId));
  const responses: Record<string, unknown> = {};
  for (const [status, schema] of Object.entries(route.response ?? {})) {
    const empty = schema.type === "void" || schema.type === "undefined" || status === "204";
    responses[status] = {
      description: successTexts[status] ?? status,
      ...(empty ? {} : { content: content(schema, shapes, `${name}${status < "300" ? "Response" : status}`) }),
    };
  }
  for (const status of errorStatuses(route)) responses[status] ??= { $ref: `#/components/responses/Error${status}` };
  const given = parameters(route, shapes);
  const about = (route.detail["x-body-description"] ?? route.body?.description) as string | undefined;
  return {
    operationId,
    summary,
    ...(description ? { description } : {}),
    tags: [(own as string[] | undefined)?.[0] ?? "Utility"],
    ...(deprecated
      ? { deprecated, "x-deprecated-reason": route.detail["x-deprecated-reason"] ?? "Replaced by a newer route." }
      : {}),
    "x-oa-contract": contracts[`${route.method} ${openPath(route.path)}`] ?? route.detail["x-oa-contract"],
    security: security(route),
    ...(given.length ? { parameters: given } : {}),
    ...(route.body
      ? {
          requestBody: {
            ...(about ? { description: about } : {}),
            required: Boolean(route.body.required?.length),
            content: content(route.body, shapes, `${name}Request`),
          },
        }
      : {}),
    responses,
  };
}

const apiError = {
  type: "object",
  required: ["message", "error"],
  properties: {
    message: { type: "string" },
    error: {
      type: "object",
      required: ["code", "message"],
      properties: { code: { type: "string" }, message: { type: "string" } },
    },
    errors: { type: "object", additionalProperties: { type: "array", items: { type: "string" } } },
  },
};

/** The OpenAPI 3.0.2 document of the composed routes (http-platform 3.9), as one line of JSON. */
export function openapi(
  routes: RouteTable,
  facts: { version: string; appUrl: string; guide?: string; shapes?: Record<string, unknown> },
): string {
  const shapes = namedShapes(facts.shapes ?? {});
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes.values()) {
    if (hidden(route)) continue;
    const path = openPath(route.path);
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route, shapes) };
  }
  return JSON.stringify({
    openapi: "3.0.2",
    info: {
      title: "OpenAgents API",
      version: facts.version,
      description: [
        "The control plane of OpenAgents: sign in, drive Codex on your own machine, and follow it live over Khala.",
        ...(facts.guide ? [facts.guide] : []),
      ].join("\n\n"),
      contact: { name: "OpenAgents", url: "https://openagents.com" },
    },
    servers: [{ url: facts.appUrl, description: "Primary production server" }],
    tags: tags.map(([name, description]) => ({ name, description })),
    security: [{ SanctumToken: [] }],
    paths,
    components: {
      securitySchemes: {
        SanctumToken: { type: "http", scheme: "bearer", bearerFormat: "Sanctum PAT" },
        bearerAuth: { type: "http", scheme: "bearer" },
        sessionCookie: { type: "apiKey", in: "cookie", name: "oa_access_token" },
        csrfHeader: { type: "apiKey", in: "header", name: "x-xsrf-token" },
        internalSignature: { type: "apiKey", in: "header", name: "x-oa-internal-signature" },
        svixSignature: { type: "apiKey", in: "header", name: "svix-signature" },
      },
      schemas: {
        ApiDataEnvelope: { type: "object", required: ["data"], properties: { data: {} } },
        ApiErrorResponse: apiError,
        ...shapes.used,
      },
      responses: errorResponses(),
    },
  });
}
