/** Why a request brought no data, in the terms of web-ui 5.2. `message` is fit to be shown as it is. */
export interface Failure {
  kind:
    | "aborted"
    | "network"
    | "unauthorized"
    | "forbidden"
    | "missing"
    | "conflict"
    | "gone"
    | "csrf"
    | "invalid"
    | "upgrade"
    | "limited"
    | "maintenance"
    | "server"
    | "refused";
  /** HTTP status, 0 when no answer came. */
  status: number;
  /** `error.code` of the body, or "". */
  code: string;
  message: string;
  /** First message per field (422). */
  fields: Record<string, string>;
  /** Seconds to wait, for `limited` (default 60) and where the server said so. */
  retryAfter: number | null;
  requestId: string | null;
  /** The parsed body, for members that only one endpoint has. */
  body: Record<string, unknown> | null;
}

export const OUR_SIDE = "Something went wrong on our side.";
export const MAINTENANCE =
  "OpenAgents is temporarily unavailable while we complete an infrastructure switch. Please check back shortly.";

const LONGEST = 400;

const KINDS: Record<number, Failure["kind"]> = {
  401: "unauthorized",
  403: "forbidden",
  404: "missing",
  409: "conflict",
  410: "gone",
  419: "csrf",
  422: "invalid",
  426: "upgrade",
  429: "limited",
  500: "server",
  502: "server",
  503: "server",
  504: "server",
};

const record = (value: unknown): Record<string, unknown> | null =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null;

const text = (value: unknown): string => (typeof value === "string" ? value.trim() : "");

/** A server text may be shown unless it is a page of markup; long ones are cut (web-ui 5.1). */
export const showable = (message: string): boolean => message !== "" && !/<!doctype html|<html/i.test(message);

const cut = (message: string): string => (message.length > LONGEST ? `${message.slice(0, LONGEST)}...` : message);

function ownText(kind: Failure["kind"], status: number, retryAfter: number | null): string {
  switch (kind) {
    case "limited":
      return `Too many requests. Try again in ${retryAfter ?? 60}s.`;
    case "maintenance":
      return MAINTENANCE;
    case "server":
      return OUR_SIDE;
    case "upgrade":
      return "A newer version is required.";
    default:
      return `Request failed (${status})`;
  }
}

/** Reads an answer that is not 2xx. `raw` is its body as text. */
export function failureOf(status: number, headers: Headers, raw: string): Failure {
  let body: Record<string, unknown> | null = null;
  try {
    body = record(JSON.parse(raw));
  } catch {
    body = null;
  }
  const error = record(body?.error);
  const code = text(error?.code);
  const maintenance = status === 503 && (headers.get("x-oa-maintenance") === "1" || code === "maintenance_mode");
  const kind = maintenance ? "maintenance" : (KINDS[status] ?? "refused");
  const wait = Number.parseInt(headers.get("retry-after") ?? "", 10);
  const retryAfter = Number.isFinite(wait) && wait > 0 ? wait : kind === "limited" ? 60 : null;

  const fields: Record<string, string> = {};
  for (const [field, messages] of Object.entries(record(body?.errors) ?? {})) {
    const first = text(Array.isArray(messages) ? messages[0] : messages);
    if (showable(first)) fields[field] = cut(first);
  }

  const said = [text(error?.message), text(record(body?.data)?.message), text(body?.message)].find(showable) ?? "";
  // A crash's own words help nobody; a 503 with our envelope explains itself (mail not set up, database away).
  const ours = kind === "limited" || kind === "maintenance" || (kind === "server" && (status !== 503 || !said));
  return {
    kind,
    status,
    code,
    message: ours || !said ? ownText(kind, status, retryAfter) : cut(said),
    fields,
    retryAfter,
    requestId: headers.get("x-request-id"),
    body,
  };
}

const silent = (kind: "aborted" | "network", message: string): Failure => ({
  kind,
  status: 0,
  code: "",
  message,
  fields: {},
  retryAfter: null,
  requestId: null,
  body: null,
});

export const aborted = (): Failure => silent("aborted", "");

export const unreachable = (online: boolean): Failure =>
  silent("network", online ? "Can't reach OpenAgents." : "You're offline.");
