import { accepts } from "../http/answer";
import { matches } from "../http/document";
import type { Encoding, WebFile } from "./files";

const mostRemembered = 500;
const remembered = new Map<string, { br: boolean; gzip: boolean }>();

/** What a client takes; browsers send few different headers, so each is read once. */
function taken(header: string): { br: boolean; gzip: boolean } {
  const known = remembered.get(header);
  if (known) return known;
  const read = { br: accepts(header, "br"), gzip: accepts(header, "gzip") };
  if (remembered.size < mostRemembered && header.length < 200) remembered.set(header, read);
  return read;
}

/** The encoding that goes out: br, then gzip, among those the client takes. */
export function chooseEncoding({ variants }: WebFile, header: string | null): Encoding {
  if (!header) return "identity";
  const { br, gzip } = taken(header);
  if (br && variants.br) return "br";
  return gzip && variants.gzip ? "gzip" : "identity";
}

/**
 * A file with its headers, ready to go out; its size is noted in `size`. Whoever sends it adds what belongs to the request,
 * such as its id.
 */
export type ReadyFile = (request: Request, size?: { bytesOut: number }) => Response;

/**
 * Makes the answers of a file once: 200 or 304 with the same caching headers (http-platform 3.6). A request gets a copy, which
 * shares the bytes; nothing is computed but the choice of encoding.
 */
export function readyFile(file: WebFile, headers: Record<string, string>, status = 200): ReadyFile {
  const { variants, type } = file;
  const vary =
    variants.br || variants.gzip ? [headers.vary, "Accept-Encoding"].filter(Boolean).join(", ") : headers.vary;
  const ready = new Map<
    Encoding,
    { etag: string; length: number; full: Response; head: Response; unchanged: Response }
  >();
  for (const [encoding, { bytes, etag }] of Object.entries(variants) as [Encoding, (typeof variants)["identity"]][]) {
    const same = { ...headers, etag, ...(vary ? { vary } : {}) };
    const all = { ...same, "content-type": type, ...(encoding === "identity" ? {} : { "content-encoding": encoding }) };
    ready.set(encoding, {
      etag,
      length: bytes.byteLength,
      full: new Response(new Blob([bytes as Uint8Array<ArrayBuffer>]), { status, headers: all }),
      head: new Response(null, { status, headers: { ...all, "content-length": String(bytes.byteLength) } }),
      unchanged: new Response(null, { status: 304, headers: same }),
    });
  }
  return (request, size) => {
    const { etag, length, full, head, unchanged } = ready.get(
      chooseEncoding(file, request.headers.get("accept-encoding")),
    )!;
    if (status === 200 && matches(request.headers.get("if-none-match"), etag)) return unchanged.clone() as Response;
    if (request.method === "HEAD") return head.clone() as Response;
    if (size) size.bytesOut = length;
    return full.clone() as Response;
  };
}
