import type { Route } from "./routes";

/** What an error is called in the document: a sentence on when, its code and its text (http-platform 2.8). */
const errors: Record<string, [when: string, code: string, text: string]> = {
  "400": ["The body is not valid JSON", "invalid_request", "The request body is not valid JSON."],
  "401": ["No valid credential", "unauthorized", "Unauthenticated."],
  "403": ["Not allowed", "forbidden", "This action is unauthorized."],
  "404": ["Not found", "not_found", "Not found."],
  "405": [
    "The path has no such method",
    "method_not_allowed",
    "The PUT method is not supported for route api/me. Supported methods: GET, HEAD.",
  ],
  "408": ["The body stopped arriving", "request_timeout", "Request Timeout"],
  "409": ["Conflict with the present state", "conflict", "worker is stopped; create or reattach to resume"],
  "410": ["Gone", "stale_cursor", "The cursor is older than what is kept."],
  "413": ["The body is too large", "payload_too_large", "The POST data is too large."],
  "414": ["The URL is too long", "invalid_request", "Request-URI Too Long"],
  "415": ["The body has another media type", "unsupported_media_type", "Content-Type must be application/json."],
  "419": ["A browser's request from elsewhere", "csrf_mismatch", "CSRF token mismatch."],
  "421": [
    "The server is not asked by its name",
    "misdirected_request",
    "Host 'x' is not served here. Set APP_URL or OA_ALLOWED_HOSTS.",
  ],
  "422": ["The input is not valid", "invalid_request", "The name field is required."],
  "426": [
    "The client is too old or too new",
    "upgrade_required",
    "Client build id '20260101T000000Z' is below minimum supported build id.",
  ],
  "429": ["Too many requests", "rate_limited", "Too many requests. Retry in 12s."],
  "500": ["Server error", "internal_error", "Server Error"],
  "503": ["Not available at the moment", "service_unavailable", "Not available at the moment. Please try again."],
  "504": ["The request took too long", "timeout", "The request took too long."],
};

const response = ([when, code, text]: [string, string, string], more: object = {}) => ({
  description: when,
  content: {
    "application/json": {
      schema: { $ref: "#/components/schemas/ApiErrorResponse" },
      example: { message: text, error: { code, message: text }, ...more },
    },
  },
});

/** One response for each error status, and the envelope that all have (http-platform 3.9). */
export const errorResponses = (): Record<string, unknown> => ({
  ErrorEnvelope: response(errors["500"] as [string, string, string]),
  ...Object.fromEntries(
    Object.entries(errors).map(([status, about]) => [
      `Error${status}`,
      response(about, status === "422" ? { errors: { name: [about[2]] } } : {}),
    ]),
  ),
});

/** Routes that only clients of the right age may call (auth 3.13). */
const gated = /^\/api\/v1\/(control\/|sync\/token$)/;

/** The errors that a route can answer: those of the platform, and what the domain states. */
export function errorStatuses({ declared, method, path, body, query }: Route): string[] {
  const { guard, maybe, throttle, counts, reading, csrf, proof, open, patient, fails = [] } = declared;
  const changes = method !== "GET";
  return [
    ...(changes && reading !== "raw" ? ["400", "408", "413", "415"] : []),
    ...(guard || maybe || proof ? ["401"] : []),
    ...(guard ? ["403"] : []),
    ...(path.includes(":") ? ["400", "404"] : []),
    ...(open ? ["404"] : []),
    ...(changes && (guard || csrf) ? ["419"] : []),
    ...(body || query ? ["422"] : []),
    ...(gated.test(path) ? ["426"] : []),
    ...(throttle || counts ? ["429"] : []),
    "500",
    "503",
    ...(patient ? [] : ["504"]),
    ...fails.map(String),
  ];
}
