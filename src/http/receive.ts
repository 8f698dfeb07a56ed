import type { Config } from "../config";
import { type AddressSet, canonicalAddress, clientAddress, remembering } from "./address";
import type { Facts } from "./facts";
import { parentOf, traceStateOf } from "./trace";

/** What the platform needs to know to read the facts of a request. */
export interface Reception {
  trusted: AddressSet;
  /** Host names that are served; null = any (http-platform 2.4). */
  hosts: string[] | null;
}

const requestIdForm = /^[A-Za-z0-9._:/+=@-]{1,160}$/;

/** Hosts served for a bind address, `APP_URL` and `OA_ALLOWED_HOSTS`; null = any. */
export function servedHosts(config: Config, loopbackBind: boolean): string[] | null {
  if (config.OA_ALLOWED_HOSTS.length) return config.OA_ALLOWED_HOSTS.map((host) => host.toLowerCase());
  if (!loopbackBind) return null;
  const own = config.APP_URL ? [new URL(config.APP_URL).hostname] : [];
  return ["localhost", "*.localhost", ...own];
}

/** Whether `host` (with or without a port) may be served (http-platform 2.4). */
export function isServedHost(host: string, hosts: string[] | null): boolean {
  const name = hostname(host);
  if (name === null) return false;
  if (!hosts) return true;
  const address = canonicalAddress(name);
  if (address && (address.startsWith("127.") || address === "::1")) return true;
  return hosts.some((entry) => (entry.startsWith("*.") ? name.endsWith(entry.slice(1)) : entry === name));
}

/** The name in a Host header, lower-case; null when it is no host name. */
const hostname = remembering(readHostname);

function readHostname(host: string): string | null {
  const match = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?$/.exec(host);
  return match ? (match[1] as string).replace(/^\[|\]$/g, "").toLowerCase() : null;
}

const isLoopbackHost = (name: string | null): boolean =>
  name !== null && (name === "localhost" || name.endsWith(".localhost") || name.startsWith("127.") || name === "::1");

/** Parses a Cookie header; of equal names the first wins. */
export function parseCookies(header: string | null): Record<string, string> {
  if (!header) return {};
  const cookies: Record<string, string> = Object.create(null);
  for (const pair of header.split(";")) {
    const at = pair.indexOf("=");
    if (at < 0) continue;
    const name = pair.slice(0, at).trim();
    if (name && !(name in cookies))
      cookies[name] = pair
        .slice(at + 1)
        .trim()
        .replace(/^"(.*)"$/, "$1");
  }
  return cookies;
}

let pool = "";
let taken = 0;

/** Random hex digits out of a pool: one call of the generator serves many requests. */
function hex(digits: number): string {
  if (taken + digits > pool.length) {
    pool = Buffer.from(crypto.getRandomValues(new Uint8Array(8192))).toString("hex");
    taken = 0;
  }
  taken += digits;
  return pool.slice(taken - digits, taken);
}

interface Trace {
  id: string;
  span: string;
  parent: string | null;
  sampled: boolean;
}

/** The facts of a request; what most requests never ask for is read when it is first asked for. */
class ReceivedFacts implements Facts {
  readonly requestId: string;
  readonly ip: string;
  readonly scheme: "http" | "https";
  readonly host: string;
  readonly userAgent: string;
  readonly startedAt = performance.now();
  readonly #headers: Headers;
  #cookies: Record<string, string> | null = null;
  #trace: Trace | null = null;

  constructor(request: Request, peer: string | null, reception: Reception) {
    const { headers } = request;
    const { ip, trusted } = clientAddress(peer, headers, reception.trusted);
    const proto = trusted ? lastOf(headers.get("x-forwarded-proto")) : null;
    const given = headers.get("x-request-id");
    this.#headers = headers;
    this.ip = ip;
    this.scheme = proto === "https" ? "https" : "http";
    this.host = (trusted && lastOf(headers.get("x-forwarded-host"))) || headers.get("host") || "";
    this.requestId = given !== null && requestIdForm.test(given) ? given : crypto.randomUUID();
    this.userAgent = headers.get("user-agent") ?? "";
  }

  get origin(): string {
    return `${this.scheme}://${this.host}`;
  }

  /** Safari drops `Secure` cookies of plain http even on loopback (auth 2.0). */
  get secureCookies(): boolean {
    if (this.scheme === "https") return true;
    const safari = /Safari\//.test(this.userAgent) && !/Chrom(e|ium)\//.test(this.userAgent);
    return isLoopbackHost(hostname(this.host)) && !safari;
  }

  get cookies(): Record<string, string> {
    this.#cookies ??= parseCookies(this.#headers.get("cookie"));
    return this.#cookies;
  }

  get traceId(): string {
    return this.#traced().id;
  }

  get spanId(): string {
    return this.#traced().span;
  }

  get traceState(): string | null {
    return traceStateOf(this.#headers.get("traceparent"), this.#headers.get("tracestate"));
  }

  get parentSpanId(): string | null {
    return this.#traced().parent;
  }

  get sampled(): boolean {
    return this.#traced().sampled;
  }

  #traced(): Trace {
    if (this.#trace) return this.#trace;
    const parent = parentOf(this.#headers.get("traceparent"));
    this.#trace = {
      id: parent?.traceId ?? hex(32),
      span: hex(16),
      parent: parent?.spanId ?? null,
      sampled: parent?.sampled ?? true,
    };
    return this.#trace;
  }
}

const lastOf = (list: string | null): string | null => list && (list.split(",").at(-1) as string).trim();

/** Facts of a request that came from `peer` (null = Unix socket) (http-platform 2.4, 2.5). */
export const factsOf = (request: Request, peer: string | null, reception: Reception): Facts =>
  new ReceivedFacts(request, peer, reception);
