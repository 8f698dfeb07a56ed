import { gzipSync, zstdCompressSync } from "node:zlib";
import type { Config } from "../config";
import { corsHeaders, hasCors } from "./cors";
import type { ErrorAnswer } from "./errors";
import { plainSecurity, transportSecurity } from "./security-headers";
import type { RequestState } from "./state";

/** Paths whose answers hold a secret beside caller input: never compressed (BREACH, http-platform 3.6). */
const secretive =
  /^\/api\/(auth\/|tokens|khala\/token|sync\/token|v1\/|l402\/wallet|agent-payments\/|agents\/me\/wallet|internal\/|pair\/)/;
const moneyed = /^\/api\/(l402|agent-payments|agents|payments)(\/|$)/;
const compressFrom = 1024;

/** Headers that every answer but the shell and the files carries (http-platform 2.6, 3.4, 3.6). */
export function baseHeaders(config: Config, request: Request, path: string, state: RequestState): Headers {
  const { facts } = state;
  const headers = new Headers({
    ...plainSecurity,
    "x-request-id": facts.requestId,
    "cache-control": moneyed.test(path) ? "no-cache, private" : "no-store",
  });
  if (hasCors(path)) {
    for (const [name, value] of Object.entries(corsHeaders(config, request.headers.get("origin"))))
      headers.set(name, value);
  }
  const transport = transportSecurity(config, facts);
  if (transport) headers.set("strict-transport-security", transport);
  for (const [name, value] of state.headers) headers.append(name, value);
  return headers;
}

const accepts = (header: string, encoding: string): boolean => {
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
};

const merge = (headers: Headers, name: string) => {
  const now = headers.get("vary");
  if (!now?.toLowerCase().includes(name.toLowerCase())) headers.set("vary", now ? `${now}, ${name}` : name);
};

/** JSON with its headers, compressed when it is long enough and holds no secret (http-platform 3.6). */
export function json(request: Request, path: string, status: number, value: unknown, headers: Headers): Response {
  const text = JSON.stringify(value);
  if (!headers.has("content-type")) headers.set("content-type", "application/json");
  if (text.length < compressFrom || request.method === "HEAD" || secretive.test(path)) {
    return new Response(text, { status, headers });
  }
  merge(headers, "Accept-Encoding");
  const accepted = request.headers.get("accept-encoding") ?? "";
  if (accepts(accepted, "zstd")) {
    headers.set("content-encoding", "zstd");
    return new Response(zstdCompressSync(text), { status, headers });
  }
  if (accepts(accepted, "gzip")) {
    headers.set("content-encoding", "gzip");
    return new Response(gzipSync(text, { level: 6 }), { status, headers });
  }
  return new Response(text, { status, headers });
}

/** An error's response; error bodies are never cached. */
export function failure(
  config: Config,
  request: Request,
  path: string,
  state: RequestState,
  error: ErrorAnswer,
): Response {
  const headers = baseHeaders(config, request, path, state);
  headers.set("cache-control", "no-store");
  for (const [name, value] of Object.entries(error.headers)) headers.set(name, value);
  headers.set("content-type", "application/json");
  state.errorCode = error.code;
  return new Response(JSON.stringify(error.body), { status: error.status, headers });
}
