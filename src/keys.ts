import { createCipheriv, createDecipheriv, createHmac, randomBytes, timingSafeEqual } from "node:crypto";

/** A stored value that no key opens: wrong key, or damaged (ops-data 3.5). */
export class Unreadable extends Error {
  constructor() {
    super("the value cannot be read with the app key or a previous one");
    this.name = "Unreadable";
  }
}

/** The 32 bytes of an `APP_KEY`: `base64:` and 32 bytes, or 32 raw bytes; null when it is neither. */
export function readAppKey(text: string): Buffer | null {
  const bytes = text.startsWith("base64:") ? Buffer.from(text.slice(7), "base64") : Buffer.from(text, "utf8");
  return bytes.length === 32 ? bytes : null;
}

/** A new key in the form that `APP_KEY` takes. */
export const makeAppKey = (): string => `base64:${randomBytes(32).toString("base64")}`;

/** The keys of a configuration, newest first. Throws when there is none or one of them has the wrong form. */
export function appKeys(config: { APP_KEY: string | null; APP_PREVIOUS_KEYS: string[] }): Buffer[] {
  if (!config.APP_KEY) throw new Error("APP_KEY is not set");
  return [config.APP_KEY, ...config.APP_PREVIOUS_KEYS].map((text) => {
    const key = readAppKey(text);
    if (!key) throw new Error("APP_KEY must be 'base64:' and 32 bytes, or 32 characters");
    return key;
  });
}

const macOf = (key: Buffer, iv: string, value: string): Buffer =>
  createHmac("sha256", key)
    .update(iv + value)
    .digest();

/** Seals `text` under `key` in Laravel's format (ops-data 3.5). `iv` only for vectors. */
export function seal(text: string, key: Buffer, iv: Buffer = randomBytes(16)): string {
  const cipher = createCipheriv("aes-256-cbc", key, iv);
  const value = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]).toString("base64");
  const ivText = iv.toString("base64");
  const mac = macOf(key, ivText, value).toString("hex");
  const envelope = JSON.stringify({ iv: ivText, value, mac, tag: "" });
  return Buffer.from(envelope).toString("base64");
}

const strictBase64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** The envelope's members, or null when the stored text is no envelope (a plain value). */
export function readEnvelope(stored: string): { iv: string; value: string; mac: string; tag: string } | null {
  if (stored === "" || !strictBase64.test(stored)) return null;
  try {
    const parsed: unknown = JSON.parse(Buffer.from(stored, "base64").toString("utf8"));
    if (typeof parsed !== "object" || parsed === null) return null;
    const { iv, value, mac, tag = "" } = parsed as Record<string, unknown>;
    if (typeof iv !== "string" || typeof value !== "string" || typeof mac !== "string") return null;
    return { iv, value, mac, tag: typeof tag === "string" ? tag : "" };
  } catch {
    return null;
  }
}

/** Opens a sealed value with the first key that fits; `key` is its index. Throws `Unreadable`. */
export function open(stored: string, keys: Buffer[]): { text: string; key: number } {
  const envelope = readEnvelope(stored);
  if (envelope?.tag !== "" || !strictBase64.test(envelope.iv)) throw new Unreadable();
  const iv = Buffer.from(envelope.iv, "base64");
  const given = Buffer.from(envelope.mac, "hex");
  if (iv.length !== 16 || given.length !== 32) throw new Unreadable();
  const index = keys.findIndex((key) => timingSafeEqual(macOf(key, envelope.iv, envelope.value), given));
  if (index < 0) throw new Unreadable();
  try {
    const decipher = createDecipheriv("aes-256-cbc", keys[index] as Buffer, iv);
    const bytes = Buffer.concat([decipher.update(Buffer.from(envelope.value, "base64")), decipher.final()]);
    return { text: unserialized(bytes), key: index };
  } catch {
    throw new Unreadable();
  }
}

/** `s:N:"…";` with N the byte length of `…` is a serialized string: its inside. */
function unserialized(bytes: Buffer): string {
  const text = bytes.toString("utf8");
  const match = /^s:(\d+):"([\s\S]*)";$/.exec(text);
  return match && Buffer.byteLength(match[2] as string) === Number(match[1]) ? (match[2] as string) : text;
}
