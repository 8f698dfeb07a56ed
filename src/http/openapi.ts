import { openPath } from "./manifest";
import { contracts } from "./openapi-contracts";
import { exampleOf, plainSchema, type Shapes } from "./openapi-schema";
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

const statusTexts: Record<string, string> = {
  "200": "Done",
  "201": "Created",
  "202": "Accepted",
  "204": "Done, nothing to say",
  "302": "Redirect",
  "303": "Redirect",
  "400": "The body is not valid JSON",
  "401": "No valid credential",
  "403": "Not allowed",
  "404": "Not found",
  "409": "Conflict with the present state",
  "410": "Gone",
  "413": "The body is too large",
  "415": "The body has another media type",
  "419": "CSRF token mismatch",
  "422": "The input is not valid",
  "429": "Too many requests",
  "500": "Server error",
  "503": "Not available at the moment",
};

/** Operations that exist but are no part of the document (http-platform 3.9). */
const hidden = (route: Route): boolean =>
  route.detail.hide === true ||
  !(route.path.startsWith("/api/") || route.detail.doc === true) ||
  (route.method === "POST" && route.path === "/api/chat") ||
  route.path === "/api/docs" ||
  route.path.startsWith("/api/admin/khala");

function security(route: Route) {
  const { guard, maybe } = route.declared;
  if (!guard) return maybe ? [{ bearerAuth: [] }, { sessionCookie: [], csrfHeader: [] }, {}] : [];
  const session = [{ bearerAuth: [] }, { sessionCookie: [], csrfHeader: [] }];
  return guard === "session" ? session : [...session, { SanctumToken: [] }];
}

function errorStatuses(route: Route): string[] {
  const { guard, maybe, throttle, reading, csrf } = route.declared;
  const changes = route.method !== "GET";
  return [
    ...(changes && reading !== "raw" ? ["400", "413", "415"] : []),
    ...(guard || maybe ? ["401"] : []),
    ...(guard ? ["403"] : []),
    ...(route.path.includes(":") ? ["404"] : []),
    ...(changes && (guard || csrf) ? ["419"] : []),
    ...(route.body || route.query ? ["422"] : []),
    ...(throttle ? ["429"] : []),
    "500",
    "503",
    ...((route.detail.errors as number[] | undefined) ?? []).map(String),
  ];
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

const content = (schema: Schema, shapes: Shapes) => ({
  "application/json": { schema: plainSchema(schema, shapes), example: exampleOf(schema) },
});

function operation(route: Route, shapes: Shapes) {
  const { operationId, summary, description, deprecated, tags: own } = route.detail as Record<string, unknown>;
  const responses: Record<string, unknown> = {};
  for (const [status, schema] of Object.entries(route.response ?? {})) {
    const empty = schema.type === "void" || schema.type === "undefined" || status === "204";
    responses[status] = {
      description: statusTexts[status] ?? status,
      ...(empty ? {} : { content: content(schema, shapes) }),
    };
  }
  for (const status of errorStatuses(route)) responses[status] ??= { $ref: `#/components/responses/Error${status}` };
  const given = parameters(route, shapes);
  const about = route.detail["x-body-description"] as string | undefined;
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
            content: content(route.body, shapes),
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

const errorResponse = (status: string) => ({
  description: statusTexts[status] ?? status,
  content: {
    "application/json": {
      schema: { $ref: "#/components/schemas/ApiErrorResponse" },
      example: { message: statusTexts[status], error: { code: "error", message: statusTexts[status] } },
    },
  },
});

/** The OpenAPI 3.0.2 document of the composed routes (http-platform 3.9), as one line of JSON. */
export function openapi(routes: RouteTable, facts: { version: string; appUrl: string; guide?: string }): string {
  const shapes: Shapes = {};
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes.values()) {
    if (hidden(route)) continue;
    const path = openPath(route.path);
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route, shapes) };
  }
  const errors = Object.keys(statusTexts).filter((status) => Number(status) >= 400);
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
        ...shapes,
      },
      responses: {
        ErrorEnvelope: errorResponse("500"),
        ...Object.fromEntries(errors.map((status) => [`Error${status}`, errorResponse(status)])),
      },
    },
  });
}
