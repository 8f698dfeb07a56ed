import type { Refusal, RefusalKind } from "../refusal";

interface Meaning {
  status: number;
  code: string;
}

/** The table of http-platform 2.8: one status and one code for each kind of refusal. */
const meanings: Record<RefusalKind, Meaning> = {
  malformed: { status: 400, code: "invalid_request" },
  unauthorized: { status: 401, code: "unauthorized" },
  forbidden: { status: 403, code: "forbidden" },
  missing: { status: 404, code: "not_found" },
  stalled: { status: 408, code: "request_timeout" },
  conflict: { status: 409, code: "conflict" },
  gone: { status: 410, code: "gone" },
  too_large: { status: 413, code: "payload_too_large" },
  media_type: { status: 415, code: "unsupported_media_type" },
  csrf: { status: 419, code: "csrf_mismatch" },
  invalid: { status: 422, code: "invalid_request" },
  too_many: { status: 429, code: "rate_limited" },
  unavailable: { status: 503, code: "service_unavailable" },
};

/** An error as it goes out: status, body `E` of http-platform 2.8, further headers. */
export interface ErrorAnswer {
  status: number;
  code: string;
  body: Record<string, unknown>;
  headers: Record<string, string>;
}

/** The standard error body. */
export const errorBody = (code: string, message: string, inner: Record<string, unknown> = {}) => ({
  message,
  error: { code, message, ...inner },
});

/** An answer for an error that no domain threw (unknown route, method, host). */
export const errorAnswer = (
  status: number,
  code: string,
  message: string,
  headers: Record<string, string> = {},
): ErrorAnswer => ({ status, code, body: errorBody(code, message), headers });

/** What a refusal says on the wire. */
export function answerOf(refusal: Refusal): ErrorAnswer {
  const { status, code: usual } = meanings[refusal.kind];
  const { code = usual, errors, body = {}, error, headers = {} } = refusal.detail;
  return {
    status,
    code,
    body: { ...errorBody(code, refusal.message, error), ...(errors ? { errors } : {}), ...body },
    headers: status === 401 ? { "www-authenticate": "Bearer", ...headers } : headers,
  };
}

export const serverError = (): ErrorAnswer => errorAnswer(500, "internal_error", "Server Error");

export const databaseDown = (): ErrorAnswer =>
  errorAnswer(503, "database_unavailable", "The database is not reachable. Please try again.", { "retry-after": "5" });

/** Whether an error means that the database cannot be reached, as against a bug in a statement. */
export function isDatabaseDown(error: unknown): boolean {
  for (let at = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    const code = (at as { code?: unknown }).code;
    if (typeof code !== "string") continue;
    if (
      /^(ECONNREFUSED|ECONNRESET|ENOENT|ETIMEDOUT|EPIPE|CONNECT_TIMEOUT|CONNECTION_(CLOSED|ENDED|DESTROYED))$/.test(
        code,
      )
    )
      return true;
    if (/^(57P0[123]|08\w{3}|53300)$/.test(code)) return true;
  }
  return false;
}

const order = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/** Methods in the order that `Allow` and the text of a 405 have; `HEAD` comes with `GET`. */
export const methodList = (supported: string[]): string =>
  order.filter((word) => supported.includes(word) || (word === "HEAD" && supported.includes("GET"))).join(", ");

/** 405: the text has the path without its leading slash (http-platform 2.2). */
export function wrongMethod(method: string, path: string, supported: string[]): ErrorAnswer {
  const list = methodList(supported);
  return errorAnswer(
    405,
    "method_not_allowed",
    `The ${method} method is not supported for route ${path.replace(/^\//, "")}. Supported methods: ${list}.`,
    { allow: list },
  );
}
