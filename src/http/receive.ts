import type { Config } from "../config";
import { type AddressSet, canonicalAddress, clientAddress, remembering } from "./address";
import type { Facts } from "./facts";

/** What the platform needs to know to read the facts of a request. */
export interface Reception {
  trusted: AddressSet;
  /** Host names that are served; null = any (http-platform 2.4). */
  hosts: string[] | null;
}

const requestIdForm = /^[A-Za-z0-9._:/+=@-]{1,160}$/;
const traceForm = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/;
const zeros = /^0+$/;

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

/** Facts of a request that came from `peer` (null = Unix socket), over `https` when `tls` (http-platform 2.4, 2.5). */
export function factsOf(request: Request, peer: string | null, reception: Reception): Facts {
  const { headers } = request;
  const { ip, trusted } = clientAddress(peer, headers, reception.trusted);
  const last = (name: string) => (trusted ? headers.get(name)?.split(",").at(-1)?.trim() : undefined);
  const proto = last("x-forwarded-proto");
  const scheme = proto === "https" || proto === "http" ? proto : "http";
  const host = last("x-forwarded-host") || headers.get("host") || "";
  const given = headers.get("x-request-id");
  const trace = traceForm.exec(headers.get("traceparent") ?? "");
  const valid = trace && !zeros.test(trace[1] as string) && !zeros.test(trace[2] as string);
  const userAgent = headers.get("user-agent") ?? "";
  const loopback = isLoopbackHost(hostname(host));
  const safari = /Safari\//.test(userAgent) && !/Chrom(e|ium)\//.test(userAgent);
  return {
    requestId: given && requestIdForm.test(given) ? given : crypto.randomUUID(),
    traceId: valid ? (trace[1] as string) : hex(32),
    spanId: hex(16),
    ip,
    scheme,
    host,
    origin: `${scheme}://${host}`,
    startedAt: performance.now(),
    secureCookies: scheme === "https" || (loopback && !safari),
    cookies: parseCookies(headers.get("cookie")),
    userAgent,
  };
}
