/**
 * Why a request is refused, in the product's words. A domain throws one; `http/` alone turns it into a status and a body
 * (http-platform 2.8). Anything else that is thrown is a bug and answers 500.
 */
export type RefusalKind =
  | "invalid"
  | "unauthorized"
  | "forbidden"
  | "missing"
  | "conflict"
  | "gone"
  | "too_large"
  | "too_many"
  | "unavailable"
  | "malformed"
  | "media_type"
  | "stalled"
  | "csrf";

export interface RefusalDetail {
  /** Wire code; the kind's own (http-platform 2.8) when absent. */
  code?: string;
  /** Field → messages, for validation only. */
  errors?: Record<string, string[]>;
  /** Further members of the body, beside `message` and `error`. */
  body?: Record<string, unknown>;
  /** Further members inside `error`, such as `details`. */
  error?: Record<string, unknown>;
  headers?: Record<string, string>;
}

export class Refusal extends Error {
  constructor(
    readonly kind: RefusalKind,
    message: string,
    readonly detail: RefusalDetail = {},
  ) {
    super(message);
    this.name = "Refusal";
  }
}

/** 404. Also for what belongs to somebody else, where ids must reveal nothing. */
export const notFound = (message = "Not found.") => new Refusal("missing", message);

/** 409; `details` goes into `error.details`. */
export const conflict = (message: string, details?: Record<string, unknown>) =>
  new Refusal("conflict", message, details ? { error: { details } } : {});

/** 403. */
export const forbidden = (message = "This action is unauthorized.", headers?: Record<string, string>) =>
  new Refusal("forbidden", message, headers ? { headers } : {});

/** 401. */
export const unauthorized = (message = "Unauthenticated.") => new Refusal("unauthorized", message);

/** 422 with one field. */
export const invalid = (field: string, message: string) =>
  new Refusal("invalid", message, { errors: { [field]: [message] } });

/** 422 with several messages: `message` is the first plus the count of the others (http-platform 3.1). */
export function invalidFields(errors: Record<string, string[]>): Refusal {
  const all = Object.values(errors).flat();
  const more = all.length - 1;
  const summary = more > 0 ? `${all[0]} (and ${more} more error${more > 1 ? "s" : ""})` : (all[0] ?? "");
  return new Refusal("invalid", summary, { errors });
}

/** 422 without an `errors` object. */
export const invalidRequest = (message: string, code = "invalid_request") => new Refusal("invalid", message, { code });

/** 503. */
export const unavailable = (message: string, code = "service_unavailable", retryAfterSeconds?: number) =>
  new Refusal("unavailable", message, {
    code,
    ...(retryAfterSeconds ? { headers: { "retry-after": String(retryAfterSeconds) } } : {}),
  });

/** 410. */
export const gone = (code: string, message: string, body?: Record<string, unknown>) =>
  new Refusal("gone", message, { code, ...(body ? { body } : {}) });

/** 413. */
export const tooLarge = (message: string, code = "payload_too_large", body?: Record<string, unknown>) =>
  new Refusal("too_large", message, { code, ...(body ? { body } : {}) });

/** 429 from a domain's own limit; `retryAfter` in whole seconds. */
export const tooMany = (message: string, retryAfter: number, code = "rate_limited", body?: Record<string, unknown>) =>
  new Refusal("too_many", message, {
    code,
    headers: { "retry-after": String(retryAfter) },
    ...(body ? { body } : {}),
  });
