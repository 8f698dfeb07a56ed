import { Refusal, tooLarge } from "../refusal";
import type { Reading } from "./platform";

const strictPaths = [
  /^\/api\/runtime\//,
  /^\/api\/chats?(\/|$)/,
  /^\/api\/autopilots\/[^/]+\/stream$/,
  /^\/api\/v1\/control\//,
  /^\/api\/telemetry\/batch$/,
  /^\/api\/push\//,
  /^\/api\/pair\//,
];

/** How the body of a path is read unless its route says otherwise (http-platform 2.3). */
export function readingOf(path: string): Reading {
  if (path.startsWith("/api/webhooks/") || path.startsWith("/api/internal/")) return "raw";
  return strictPaths.some((form) => form.test(path)) ? "strict" : "lenient";
}

const limitRows: [RegExp, number][] = [
  [/^\/(api\/auth|login)\//, 65_536],
  [/^\/(logout|api\/(tokens.*|khala\/token|sync\/token|v1\/.*|telemetry\/batch))$/, 65_536],
  [/^\/api\/(internal|webhooks)\//, 1_048_576],
  [/^\/api\/(chat|chat\/stream|chats\/[^/]+\/stream|autopilots\/[^/]+\/stream)$/, 8_388_608],
  [/^\/api\/runtime\/codex\/workers\/[^/]+\/events$/, 16_777_216],
];

/** The largest body that any route reads: what the server layer is told. */
export const largestBody = 16_777_216;

/** Bytes that the body of a path may have (http-platform 2.3). */
export const bodyLimit = (path: string, usual: number): number =>
  limitRows.find(([form]) => form.test(path))?.[1] ?? usual;

const stallMs = 30_000;
/** A declared body of this size is one piece: it either comes or does not. */
const onePiece = 16_384;

const tooMuch = () => {
  const refusal = tooLarge("The POST data is too large.");
  refusal.detail.headers = { connection: "close" };
  return refusal;
};

const stalled = () => new Refusal("stalled", "Request Timeout", { headers: { connection: "close" } });

/** The next piece, unless it does not come for `ms` or the client has gone. */
async function within<T>(work: Promise<T>, ms: number): Promise<T> {
  let timer: Timer | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(stalled()), ms);
  });
  try {
    return await Promise.race([work, late]);
  } catch (error) {
    if (error instanceof Error && error.name === "AbortError") throw stalled();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/**
 * The whole body, at most `limit` bytes; bodies that come in pieces are counted as they come, and nothing is read beyond the
 * limit. Throws 413, 415, and 408 when nothing comes for `waitMs`.
 */
export async function readBytes(request: Request, limit: number, waitMs = stallMs): Promise<Uint8Array> {
  if (request.headers.get("content-encoding")) {
    throw new Refusal("media_type", "Content-Encoding is not accepted.", {
      headers: { "accept-encoding": "identity" },
    });
  }
  const declared = request.headers.get("content-length");
  if (declared !== null && Number(declared) > limit) throw tooMuch();
  if (!request.body) return new Uint8Array();
  if (declared !== null && Number(declared) <= onePiece) return within(request.bytes(), waitMs);
  const reader = request.body.getReader();
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for (;;) {
      const { done, value } = await within(reader.read(), waitMs);
      if (done) return Buffer.concat(chunks);
      size += value.byteLength;
      if (size > limit) throw tooMuch();
      chunks.push(value);
    }
  } catch (error) {
    void reader.cancel().catch(() => {});
    throw error;
  }
}

export type Fields = Record<string, unknown>;

const malformed = () => new Refusal("malformed", "The request body is not valid JSON.");
const utf8 = new TextDecoder("utf-8", { fatal: true });
const jsonType = /^(application\/json|application\/[^;\s]+\+json|text\/plain)$/;
const foreignCharset = /charset\s*=\s*"?(?!utf-?8)/i;

/** A strict body: JSON object, else 415 or 400 (http-platform 2.3). Absent = `{}`. */
export function strictBody(bytes: Uint8Array, contentType: string | null): Fields {
  if (!bytes.byteLength) return {};
  const type = contentType?.split(";")[0]?.trim().toLowerCase();
  if (type && !jsonType.test(type)) throw new Refusal("media_type", "Content-Type must be application/json.");
  const value = foreignCharset.test(contentType ?? "") ? undefined : parseJson(bytes);
  if (!isObject(value)) throw malformed();
  return value;
}

/** A lenient body: JSON, form or multipart; anything unreadable counts as `{}` (http-platform 2.3). */
export async function lenientBody(bytes: Uint8Array, contentType: string | null): Promise<Fields> {
  const type = contentType?.split(";")[0]?.trim().toLowerCase() ?? "";
  if (!bytes.byteLength) return {};
  if (type === "application/x-www-form-urlencoded")
    return formFields(new URLSearchParams(Buffer.from(bytes).toString("utf8")));
  if (type === "multipart/form-data") return multipart(bytes, contentType as string);
  if (type === "" || /[/+]json$/.test(type)) {
    const value = foreignCharset.test(contentType ?? "") ? undefined : parseJson(bytes);
    return isObject(value) ? value : {};
  }
  return {};
}

async function multipart(bytes: Uint8Array, contentType: string): Promise<Fields> {
  try {
    const form = await new Response(new Blob([bytes as BlobPart]), {
      headers: { "content-type": contentType },
    }).formData();
    const pairs: [string, string][] = [];
    for (const [name, value] of form.entries()) if (typeof value === "string") pairs.push([name, value]);
    return formFields(pairs);
  } catch {
    return {};
  }
}

/** JSON of at most 64 levels, cleaned of what Postgres and JavaScript cannot hold; undefined when malformed. */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    const text = utf8.decode(bytes);
    return purge(JSON.parse(text), 1);
  } catch {
    return undefined;
  }
}

const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const banned = new Set(["__proto__", "constructor", "prototype"]);
const maxDepth = 64;

function purge(value: unknown, depth: number): unknown {
  if (typeof value === "string") return plain(value);
  if (typeof value !== "object" || value === null) return value;
  if (depth > maxDepth) throw new RangeError("too deep");
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) value[i] = purge(value[i], depth + 1);
    return value;
  }
  const object = value as Fields;
  for (const key of Object.keys(object)) {
    if (banned.has(key)) {
      delete object[key];
      continue;
    }
    const name = plain(key);
    const item = purge(object[key], depth + 1);
    if (name !== key) delete object[key];
    object[name] = item;
  }
  return object;
}

const plain = (text: string): string => {
  const whole = text.isWellFormed() ? text : text.toWellFormed();
  return whole.includes("\0") ? whole.replaceAll("\0", "") : whole;
};

/**
 * Form pairs as objects and arrays: `a[b]`, `a[]`, `a[0]` (http-platform 2.3). More than 1,000 fields are cut off, and names
 * that are deeper than JSON may be are left out.
 */
export function formFields(pairs: Iterable<[string, string]>): Fields {
  const root: Fields = {};
  let count = 0;
  for (const [name, value] of pairs) {
    if (++count > 1000) break;
    const keys = /^([^[\]]+)((?:\[[^[\]]*\])*)$/.exec(name);
    const path = keys
      ? [keys[1] as string, ...[...(keys[2] as string).matchAll(/\[([^[\]]*)\]/g)].map((m) => m[1] as string)]
      : [name];
    if (path.length > maxDepth || path.some((key) => banned.has(key))) continue;
    put(root, path, plain(value));
  }
  return unsparse(root) as Fields;
}

function put(root: Fields, path: string[], value: string): void {
  let at = root;
  path.forEach((key, i) => {
    const name = key === "" ? String(Object.keys(at).length) : key;
    if (i === path.length - 1) at[name] = value;
    else {
      if (!isObject(at[name])) at[name] = {};
      at = at[name] as Fields;
    }
  });
}

/** Objects whose keys are 0…n−1 become arrays. */
function unsparse(value: unknown, top = true): unknown {
  if (!isObject(value)) return value;
  const keys = Object.keys(value);
  for (const key of keys) value[key] = unsparse(value[key], false);
  return !top && keys.length && keys.every((key, i) => key === String(i)) ? keys.map((key) => value[key]) : value;
}

const edges = /^[\s\uFEFF\u200B\u200E]+|[\s\uFEFF\u200B\u200E]+$/gu;

/** Paths whose insides are kept as they came: a delta of one blank must stay a blank (http-platform 3.1). */
const verbatim = [/^event\.payload$/, /^events\.\d+\.payload$/, /^request\.params$/];

/** Trims every string, blank ones become null, before any rule (http-platform 3.1). */
export function tidy(value: unknown, path = ""): unknown {
  if (typeof value === "string") return value.replace(edges, "") || null;
  if (typeof value !== "object" || value === null) return value;
  if (path && verbatim.some((form) => form.test(path))) return value;
  const below = (key: string | number) => (path ? `${path}.${key}` : String(key));
  if (Array.isArray(value)) return value.map((item, i) => tidy(item, below(i)));
  const object: Fields = {};
  for (const [key, item] of Object.entries(value)) object[key] = tidy(item, below(key));
  return object;
}
