/** The web app's files as the executable carries them: each with its encodings and tags, computed at build time. */

export type Encoding = "identity" | "br" | "gzip";

export interface Variant {
  bytes: Uint8Array;
  etag: string;
}

export interface WebFile {
  /** Path with leading slash. */
  path: string;
  type: string;
  /** The name holds a hash of the content: cached for ever. */
  hashed: boolean;
  variants: Partial<Record<Encoding, Variant>> & { identity: Variant };
}

/** What `manifest.json` and the service worker need to know of the build. */
export interface BuildFacts {
  buildId: string;
  entry: { html: "index.html"; js: string; css: string };
  pinned: string[];
}

export interface WebFiles {
  facts: BuildFacts;
  files: Map<string, WebFile>;
}

interface PackedFile {
  path: string;
  type: string;
  hashed: boolean;
  variants: Partial<Record<Encoding, [offset: number, length: number, etag: string]>>;
}

interface Index {
  facts: BuildFacts;
  files: PackedFile[];
}

/** Puts all files into one blob: length of the index, the index as JSON, the bytes. Read back by `unpackFiles`. */
export function packFiles({ facts, files }: WebFiles): Uint8Array {
  const parts: Uint8Array[] = [];
  let offset = 0;
  const index: Index = {
    facts,
    files: [...files.values()].map(({ path, type, hashed, variants }) => {
      const packed: PackedFile = { path, type, hashed, variants: {} };
      for (const [encoding, { bytes, etag }] of Object.entries(variants) as [Encoding, Variant][]) {
        packed.variants[encoding] = [offset, bytes.byteLength, etag];
        parts.push(bytes);
        offset += bytes.byteLength;
      }
      return packed;
    }),
  };
  const head = Buffer.from(JSON.stringify(index));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(head.byteLength);
  return Buffer.concat([length, head, ...parts]);
}

/** The files of a blob that `packFiles` made; the bytes are views into it. */
export function unpackFiles(blob: Uint8Array): WebFiles {
  const buffer = Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength);
  const length = buffer.readUInt32LE(0);
  const { facts, files } = JSON.parse(buffer.subarray(4, 4 + length).toString("utf8")) as Index;
  const start = 4 + length;
  const map = new Map<string, WebFile>();
  for (const { path, type, hashed, variants } of files) {
    const read = Object.entries(variants).map(([encoding, [offset, size, etag]]) => [
      encoding,
      { bytes: buffer.subarray(start + offset, start + offset + size), etag },
    ]);
    map.set(path, { path, type, hashed, variants: Object.fromEntries(read) });
  }
  return { facts, files: map };
}
