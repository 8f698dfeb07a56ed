import type { Facts } from "../http/facts";
import type { Access, SyncClaims } from "./access";
import type { Opening } from "./connection";
import type { KhalaNode } from "./node";
import type { FramesMode } from "./sub";

export const socketPaths: ReadonlySet<string> = new Set(["/sync/socket/websocket", "/socket/websocket"]);

const PROTOCOL = "khala.ws.v1";
const FAILURES = 60;
const WINDOW_MS = 60_000;

/** What the node holds now, as far as admission goes. */
export interface Occupancy {
  draining(): boolean;
  sockets(): number;
  socketsOf(userId: number): number;
}

export interface Admitted {
  opening: Opening;
  /** Headers of the 101. */
  headers: Record<string, string>;
}

export interface Handshake {
  /** The first failing check of khala 2.1 as a response, or what the socket opens with. */
  admit(request: Request, facts: Facts): Promise<Response | Admitted>;
  /** Check 4 alone, for the poll route. */
  originAllowed(request: Request, facts: Facts): boolean;
}

/** A body of 2.1 and 2.9. */
export function refusal(
  status: number,
  code: string,
  message: string,
  reason: string,
  headers: Record<string, string> = {},
): Response {
  const body = { message, error: { code, message }, reason_code: reason };
  const all = new Headers({ "cache-control": "no-store", ...headers });
  if (status === 401) all.set("www-authenticate", "Bearer");
  return Response.json(body, { status, headers: all });
}

export const unauthorizedText = "khala sync authorization failed";
export const originText = "origin is not allowed for khala access";

const normalOrigin = (origin: string) => origin.trim().toLowerCase().replace(/\/+$/, "");

/** Where a token may stand, in the order of 2.1: the reason it is missing, or the token. */
function tokenOf(request: Request, query: URLSearchParams, offered: string[]): { token: string } | { denied: string } {
  const header = request.headers.get("authorization");
  if (header !== null) {
    const [, token] = /^bearer\s+(\S+)\s*$/i.exec(header) ?? [];
    return token ? { token } : { denied: "invalid_authorization_scheme" };
  }
  const inProtocol = offered.find((name) => name.startsWith("bearer."));
  const token = query.get("token") || inProtocol?.slice("bearer.".length);
  return token ? { token } : { denied: "missing_authorization" };
}

/** Checks of the poll route and of a handshake alike. */
export async function authorize(
  access: Access,
  request: Request,
  query = new URLSearchParams(),
  offered: string[] = [],
): Promise<SyncClaims | { denied: string }> {
  const found = tokenOf(request, query, offered);
  return "denied" in found ? found : access.verify(found.token);
}

const framesOf = (text: string | null): FramesMode | null =>
  text === null || text === "" ? "both" : ((["both", "batch", "frame"] as const).find((mode) => mode === text) ?? null);

const remembered = ["client", "client_build_id", "protocol_version", "schema_version"];

export function createHandshake(node: KhalaNode, access: Access, appUrl: () => string, now: Occupancy): Handshake {
  const { config, clock } = node;
  const allowed = new Set(config.RUNTIME_KHALA_ALLOWED_ORIGINS.map(normalOrigin));
  const failures = new Map<string, { count: number; endsAt: number }>();

  function originAllowed(request: Request, facts: Facts): boolean {
    const origin = request.headers.get("origin");
    if (!config.RUNTIME_KHALA_ENFORCE_ORIGIN || origin === null) return true;
    const name = normalOrigin(origin);
    return allowed.has(name) || name === originOf(appUrl()) || name === normalOrigin(facts.origin);
  }

  function blockedFor(address: string): number {
    const found = failures.get(address);
    if (!found || found.endsAt <= clock.now()) return 0;
    return found.count > FAILURES ? Math.ceil((found.endsAt - clock.now()) / 1000) : 0;
  }

  function noteFailure(address: string): void {
    const time = clock.now();
    if (failures.size > 10_000) for (const [key, { endsAt }] of failures) if (endsAt <= time) failures.delete(key);
    const found = failures.get(address);
    if (found && found.endsAt > time) found.count++;
    else failures.set(address, { count: 1, endsAt: time + WINDOW_MS });
  }

  async function admit(request: Request, facts: Facts): Promise<Response | Admitted> {
    const { headers } = request;
    const upgrading = request.method === "GET" && headers.get("upgrade")?.toLowerCase() === "websocket";
    if (!upgrading || headers.get("sec-websocket-version") !== "13") {
      return refusal(426, "upgrade_required", "websocket upgrade required", "websocket_required", {
        upgrade: "websocket",
        "sec-websocket-version": "13",
      });
    }
    if (now.draining()) {
      return refusal(503, "service_unavailable", "node is draining", "draining", { "retry-after": "1" });
    }
    if (now.sockets() >= config.OA_KHALA_MAX_SOCKETS) {
      return refusal(503, "service_unavailable", "too many sockets", "capacity", { "retry-after": "5" });
    }
    if (!originAllowed(request, facts)) return refusal(403, "forbidden_origin", originText, "origin_not_allowed");
    const wait = blockedFor(facts.ip);
    if (wait) {
      const text = `Too many requests. Retry in ${wait}s.`;
      return refusal(429, "rate_limited", text, "connect_rate", { "retry-after": String(wait) });
    }
    const query = new URL(request.url, "http://host").searchParams;
    const offered = (headers.get("sec-websocket-protocol") ?? "").split(",").map((name) => name.trim());
    const claims = await authorize(access, request, query, offered);
    if ("denied" in claims) {
      noteFailure(facts.ip);
      return refusal(401, "unauthorized", unauthorizedText, claims.denied);
    }
    if (!claims.sessionId || !claims.deviceId) {
      return refusal(401, "unauthorized", unauthorizedText, "invalid_token");
    }
    const vsn = query.get("vsn");
    if (vsn !== null && vsn !== "" && vsn !== "2.0.0") {
      return refusal(400, "unsupported_vsn", "protocol version is not supported", "unsupported_vsn");
    }
    const frames = framesOf(query.get("frames"));
    if (!frames) return refusal(400, "invalid_request", "The selected frames is invalid.", "invalid_request");
    if (now.socketsOf(claims.userId) >= config.OA_KHALA_MAX_SOCKETS_PER_USER) {
      const text = "Too many requests. Retry in 5s.";
      return refusal(429, "rate_limited", text, "user_sockets", { "retry-after": "5" });
    }
    const kept = remembered.flatMap((name) => (query.has(name) ? [[name, query.get(name) as string]] : []));
    return {
      opening: { claims, query: Object.fromEntries(kept), address: facts.ip, frames },
      // empty when not offered: the server layer would else echo the first offered one, which may be the token
      headers: { "sec-websocket-protocol": offered.includes(PROTOCOL) ? PROTOCOL : "" },
    };
  }

  return { admit, originAllowed };
}

const originOf = (url: string) => normalOrigin(new URL(url).origin);
