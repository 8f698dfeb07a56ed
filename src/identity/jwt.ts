import { CompactSign, compactVerify } from "jose";

/**
 * An HS256 JWT; header and claims keep the order given (auth.md 3.7). `key` is the UTF-8 text of the signing key; a blank
 * `keyId` leaves `kid` out.
 */
export function signJwt(claims: Record<string, unknown>, key: string, keyId: string): Promise<string> {
  const header = { alg: "HS256", typ: "JWT", ...(keyId ? { kid: keyId } : {}) };
  return new CompactSign(Buffer.from(JSON.stringify(claims))).setProtectedHeader(header).sign(Buffer.from(key, "utf8"));
}

/** The claims of a JWT whose signature fits the key that `ring` has for its `kid`; null for anything else. */
export async function readJwt(token: string, ring: Map<string, string>): Promise<Record<string, unknown> | null> {
  try {
    const { payload } = await compactVerify(
      token,
      ({ kid }) => {
        const key = typeof kid === "string" ? ring.get(kid) : undefined;
        if (!key) throw new Error("unknown key");
        return Buffer.from(key, "utf8");
      },
      { algorithms: ["HS256"] },
    );
    const claims: unknown = JSON.parse(Buffer.from(payload).toString("utf8"));
    return typeof claims === "object" && claims !== null && !Array.isArray(claims)
      ? (claims as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}
