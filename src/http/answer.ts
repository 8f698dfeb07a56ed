import { promisify } from "node:util";
import { gzip, gzipSync, zstdCompressSync } from "node:zlib";
import type { Config } from "../config";
import { corsHeaders, hasCors } from "./cors";
import type { ErrorAnswer } from "./errors";
import { plainSecurity, transportSecurity } from "./security-headers";
import type { RequestState } from "./state";

/** Headers of an answer while it is put together: names in lower case. Cookies are kept apart, in `state.cookies`. */
export type Out = Record<string, string>;

/** Paths whose answers hold a secret beside caller input: never compressed (BREACH, http-platform 3.6). */
const secretive =
  /^\/api\/(auth\/|tokens|khala\/token|sync\/token|v1\/|l402\/wallet|agent-payments\/|agents\/me\/wallet|internal\/|pair\/)/;

const moneyed = /^\/api\/(l402|agent-payments|agents|payments)(\/|$)/;

/** `Cache-Control` of what a path answers, where its route says nothing else (http-platform 3.6). */
export const cacheOf = (path: string): string => (moneyed.test(path) ? "no-cache, private" : "no-store");

const compressFrom = 1024;
const compressAsideFrom = 65_536;

/** Headers that every answer but the shell and the files carries (http-platform 2.6, 3.4, 3.6). */
export function baseHeaders(config: Config, request: Request, path: string, state: RequestState): Out {
  const out: Out = {
    ...plainSecurity,
    "x-request-id": state.facts.requestId,
    "cache-control": cacheOf(path),
  };
  if (hasCors(path)) Object.assign(out, corsHeaders(config, request.headers.get("origin")));
  if (state.facts.scheme === "https") {
    const transport = transportSecurity(config, state.facts);
    if (transport) out["strict-transport-security"] = transport;
  }
  if (state.headers) Object.assign(out, state.headers);
  return out;
}

/** The response itself; cookies set while the request was treated go out with it, whatever the status. */
export function respond(body: BodyInit | null, status: number, out: Out, state: RequestState): Response {
  if (typeof body === "string") state.bytesOut = Buffer.byteLength(body);
  else if (body instanceof Uint8Array) state.bytesOut = body.byteLength;
  if (!state.cookies) return new Response(body, { status, headers: out });
  const headers = new Headers(out);
  for (const cookie of state.cookies) headers.append("set-cookie", cookie);
  return new Response(body, { status, headers });
}

/** Whether `Accept-Encoding` takes `encoding`; an explicit `q=0` beats `*`. */
export function accepts(header: string, encoding: string): boolean {
  let star = false;
  for (const part of header.split(",")) {
    const [name = "", ...parameters] = part.trim().toLowerCase().split(";");
    const q = Number(
      parameters
        .find((p) => p.trim().startsWith("q="))
        ?.trim()
        .slice(2) ?? 1,
    );
    if (name === encoding) return q > 0;
    if (name === "*") star = q > 0;
  }
  return star;
}

/** Fewer than 1,024 bytes; counted only where the number of characters leaves it open. */
const isShort = (text: string): boolean =>
  text.length * 3 < compressFrom || (text.length < compressFrom && Buffer.byteLength(text) < compressFrom);

const gzipAside = promisify<string, { level: number }, Uint8Array>(gzip);

/**
 * JSON with its headers, compressed when it is long enough and holds no secret, and beside the event loop when it is very long
 * (http-platform 3.6).
 */
export function json(
  request: Request,
  state: RequestState,
  status: number,
  value: unknown,
  out: Out,
): Response | Promise<Response> {
  const text = JSON.stringify(value);
  out["content-type"] ??= "application/json";
  if (isShort(text) || request.method === "HEAD" || secretive.test(state.path)) {
    return respond(text, status, out, state);
  }
  out.vary = out.vary ? `${out.vary}, Accept-Encoding` : "Accept-Encoding";
  const accepted = request.headers.get("accept-encoding") ?? "";
  const encoding = (["zstd", "gzip"] as const).find((name) => accepts(accepted, name));
  if (!encoding) return respond(text, status, out, state);
  out["content-encoding"] = encoding;
  if (text.length <= compressAsideFrom) {
    const bytes = encoding === "zstd" ? zstdCompressSync(text) : gzipSync(text, { level: 6 });
    return respond(bytes, status, out, state);
  }
  const packed = encoding === "zstd" ? Bun.zstdCompress(text) : gzipAside(text, { level: 6 });
  return packed.then((bytes) => respond(bytes as Uint8Array<ArrayBuffer>, status, out, state));
}

/** An error's response; error bodies are never cached. */
export function failure(
  config: Config,
  request: Request,
  path: string,
  state: RequestState,
  error: ErrorAnswer,
): Response {
  state.errorCode = error.code;
  const out = baseHeaders(config, request, path, state);
  Object.assign(out, { "cache-control": "no-store" }, error.headers, { "content-type": "application/json" });
  return respond(JSON.stringify(error.body), error.status, out, state);
}
