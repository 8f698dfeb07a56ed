import { readFile } from "node:fs/promises";
import { join, normalize } from "node:path";
import { etagOf } from "../http/document";
import type { Encoding, WebFile } from "./files";
import { mediaType } from "./media-types";

const read = (path: string): Promise<Uint8Array | null> => readFile(path).catch(() => null);

/**
 * A file of `OA_CONTROL_STATIC_DIR` with its `.br` and `.gz` neighbours, read anew each time: for work on the web app. Null
 * when there is none, or the path would leave the folder.
 */
export async function folderFile(folder: string, path: string): Promise<WebFile | null> {
  const inside = normalize(decodeURIComponent(path));
  if (inside.includes("..") || inside.endsWith("/")) return null;
  const place = join(folder, inside);
  const bytes = await read(place);
  if (!bytes) return null;
  const variants: WebFile["variants"] = { identity: { bytes, etag: etagOf(bytes) } };
  for (const [encoding, suffix] of [
    ["br", ".br"],
    ["gzip", ".gz"],
  ] as [Encoding, string][]) {
    const packed = await read(place + suffix);
    if (packed) variants[encoding] = { bytes: packed, etag: etagOf(packed) };
  }
  return { path, type: mediaType(path), hashed: false, variants };
}
