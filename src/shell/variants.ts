import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { etagOf } from "../http/document";
import type { Encoding, Variant, WebFile } from "./files";
import { isText, mediaType } from "./media-types";

const smallest = 512;

const brotli = (bytes: Uint8Array): Uint8Array =>
  brotliCompressSync(bytes, {
    params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.byteLength },
  });

/** A file with every encoding that is at least 5 % smaller, and the tag of each (http-platform 3.6). */
export function withVariants(path: string, bytes: Uint8Array, hashed: boolean): WebFile {
  const identity: Variant = { bytes, etag: etagOf(bytes) };
  const variants: WebFile["variants"] = { identity };
  if (isText(path) && bytes.byteLength > smallest) {
    const packed: [Encoding, Uint8Array][] = [
      ["br", brotli(bytes)],
      ["gzip", gzipSync(bytes, { level: 9 })],
    ];
    for (const [encoding, small] of packed) {
      if (small.byteLength <= bytes.byteLength * 0.95) variants[encoding] = { bytes: small, etag: etagOf(small) };
    }
  }
  return { path, type: mediaType(path), hashed, variants };
}
