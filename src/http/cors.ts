import type { Config } from "../config";

const methods = "GET,POST,PATCH,DELETE,OPTIONS";
const allowed =
  "authorization,content-type,x-request-id,x-xsrf-token,x-client,accept,x-csrf-token,x-requested-with,x-device-id,x-oa-client-build-id,x-oa-protocol-version,x-oa-schema-version,x-oa-route-key,idempotency-key,if-none-match,last-event-id,traceparent,tracestate";
const exposed =
  "x-request-id,retry-after,x-ratelimit-limit,x-ratelimit-remaining,x-ratelimit-reset,etag,deprecation,sunset,link,idempotent-replayed,x-oa-compatibility-code,x-oa-compatibility-upgrade-required,x-oa-maintenance,x-oa-chat-auth-policy,x-oa-legacy-chat-retired,x-oa-legacy-chat-canonical,x-oa-legacy-chat-stream-protocol";

/** Whether a path carries CORS headers (http-platform 3.4). */
export function hasCors(path: string): boolean {
  if (path.startsWith("/api/") || path === "/api") {
    return !path.startsWith("/api/internal/") && !path.startsWith("/api/webhooks/");
  }
  return path === "/openapi.json" || path === "/manifest.json" || path === "/sanctum/csrf-cookie";
}

const visible = /^[\x21-\x7e]{1,255}$/;

const same = (a: string, b: string): boolean => {
  if (a === b) return true;
  try {
    return new URL(a).origin === new URL(b).origin;
  } catch {
    return false;
  }
};

/** The CORS headers for a request's `Origin`, credentials never among them; empty when the origin is refused. */
export function corsHeaders(config: Config, origin: string | null): Record<string, string> {
  const vary = { vary: "Origin, Access-Control-Request-Method, Access-Control-Request-Headers" };
  if (origin !== null && !visible.test(origin)) return vary;
  const list = config.OA_CORS_ALLOWED_ORIGINS;
  if (list.length && (origin === null || !list.some((entry) => same(entry, origin)))) return vary;
  return {
    "access-control-allow-origin": origin ?? "*",
    "access-control-allow-methods": methods,
    "access-control-allow-headers": allowed,
    "access-control-expose-headers": exposed,
    "access-control-max-age": "600",
    ...vary,
  };
}
