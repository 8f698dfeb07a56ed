/** Rank of a code unit in UTF-8 order: surrogates stand for code points above U+FFFF, so they come last. */
const rank = (unit: number) => (unit < 0xd800 ? unit : unit < 0xe000 ? unit + 0x2000 : unit - 0x800);

/** Order of two names by their UTF-8 bytes, which is the order of their code points. */
function byBytes(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

function write(value: unknown): string | undefined {
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if ("toJSON" in value && typeof value.toJSON === "function") return write(value.toJSON());
  if (Array.isArray(value)) {
    let text = "";
    for (let i = 0; i < value.length; i++) text += `${i ? "," : ""}${write(value[i]) ?? "null"}`;
    return `[${text}]`;
  }
  let text = "";
  for (const name of Object.keys(value).sort(byBytes)) {
    const member = write((value as Record<string, unknown>)[name]);
    if (member !== undefined) text += `${text ? "," : ""}${JSON.stringify(name)}:${member}`;
  }
  return `{${text}}`;
}

/**
 * Canonical JSON (khala 3.11): members sorted by the UTF-8 bytes of their names, no white space, strings and numbers as
 * `JSON.stringify` writes them. What JSON cannot say is left out or null, as there.
 */
export const canonicalJson = (value: unknown): string => write(value) ?? "null";

/** SHA-256 of a text's UTF-8 bytes, as base64: `payload_hash` on the wire. */
export const payloadHash = (text: string): string => new Bun.CryptoHasher("sha256").update(text).digest("base64");
