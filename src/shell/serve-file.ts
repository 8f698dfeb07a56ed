import { accepts } from "../http/answer";
import { matches } from "../http/document";
import type { Encoding, WebFile } from "./files";

/** The encoding that goes out: br, then gzip, among those the client takes. */
export function chooseEncoding(file: WebFile, header: string | null): Encoding {
  if (!header) return "identity";
  if (file.variants.br && accepts(header, "br")) return "br";
  return file.variants.gzip && accepts(header, "gzip") ? "gzip" : "identity";
}

/** A file's response: 200 or 304 with the same caching headers, nothing computed but the choice of encoding (http-platform 3.6). */
export function serveFile(request: Request, file: WebFile, headers: Record<string, string>, status = 200): Response {
  const encoding = chooseEncoding(file, request.headers.get("accept-encoding"));
  const variant = file.variants[encoding] ?? file.variants.identity;
  headers.etag = variant.etag;
  if (file.variants.br || file.variants.gzip)
    headers.vary = headers.vary ? `${headers.vary}, Accept-Encoding` : "Accept-Encoding";
  if (status === 200 && matches(request.headers.get("if-none-match"), variant.etag)) {
    return new Response(null, { status: 304, headers });
  }
  headers["content-type"] = file.type;
  if (encoding !== "identity") headers["content-encoding"] = encoding;
  if (request.method === "HEAD") {
    headers["content-length"] = String(variant.bytes.byteLength);
    return new Response(null, { status, headers });
  }
  return new Response(variant.bytes as unknown as BodyInit, { status, headers });
}
