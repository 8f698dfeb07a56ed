import { gzipSync, zstdCompressSync } from "node:zlib";
import type { Config } from "../config";
import { accepts, baseHeaders, respond } from "./answer";
import type { RequestState } from "./state";

type Encoding = "identity" | "zstd" | "gzip";

const pack: Record<Encoding, (bytes: Buffer) => Uint8Array> = {
  identity: (bytes) => bytes,
  zstd: (bytes) => zstdCompressSync(bytes),
  gzip: (bytes) => gzipSync(bytes, { level: 9 }),
};

/**
 * Whether `If-None-Match` names the tag: a comma list, `W/` stripped, `*` matches (http-platform 3.6).
 */
export const matches = (header: string | null, etag: string): boolean =>
  header?.split(",").some((part) => part.trim() === "*" || part.trim().replace(/^W\//, "") === etag) ?? false;

/** The strong tag of a representation's bytes. */
export const etagOf = (bytes: Uint8Array): string => `"${new Bun.CryptoHasher("sha256").update(bytes).digest("hex")}"`;

/** A document that is made once, when first asked for, and then served with tag and encodings (http-platform 2.9, 3.6). */
export function documentRoute(config: Config, path: string, make: () => string) {
  const made = new Map<Encoding, { bytes: Uint8Array; etag: string }>();
  let text: Buffer | null = null;
  const representation = (encoding: Encoding) => {
    const known = made.get(encoding);
    if (known) return known;
    text ??= Buffer.from(make());
    const bytes = pack[encoding](text);
    const fresh = { bytes, etag: etagOf(bytes) };
    made.set(encoding, fresh);
    return fresh;
  };
  return (request: Request, state: RequestState): Response | null => {
    if (state.path !== path || (request.method !== "GET" && request.method !== "HEAD")) return null;
    state.route = path;
    const accepted = request.headers.get("accept-encoding") ?? "";
    const encoding = (["zstd", "gzip"] as const).find((name) => accepts(accepted, name)) ?? "identity";
    const { bytes, etag } = representation(encoding);
    const out = baseHeaders(config, request, path, state);
    Object.assign(out, {
      "cache-control": "no-cache, no-store, must-revalidate",
      etag,
      vary: `${out.vary}, Accept-Encoding`,
    });
    if (matches(request.headers.get("if-none-match"), etag)) return respond(null, 304, out, state);
    Object.assign(out, { "content-type": "application/json", "content-length": String(bytes.byteLength) });
    if (encoding !== "identity") out["content-encoding"] = encoding;
    return respond(request.method === "HEAD" ? null : (bytes as unknown as BodyInit), 200, out, state);
  };
}
