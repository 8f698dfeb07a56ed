import { createHash, createHmac } from "node:crypto";
import { randomLetters } from "../letters";

/** `bytes` random bytes as lower hex; 16 of them unless told. */
export const randomHex = (bytes = 16): string =>
  Buffer.from(crypto.getRandomValues(new Uint8Array(bytes))).toString("hex");

/** 43 base64url characters of 32 random bytes. */
export const randomToken = (): string => Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url");

/** Lower hex SHA-256: the only form in which a token is stored. */
export const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

export const md5 = (text: string): string => createHash("md5").update(text).digest("hex");

export const hmac256 = (key: string, text: string): string => createHmac("sha256", key).update(text).digest("hex");

export const sessionId = (): string => `sess_${randomHex()}`;
export const accessToken = (): string => `oa_at_${randomHex()}`;
export const refreshToken = (): string => `oa_rt_${randomHex()}`;
export const refreshTokenId = (): string => `rtid_${randomHex()}`;
export const challengeId = (): string => `challenge_${randomHex()}`;
export const loginLinkToken = (): string => `oa_ll_${randomToken()}`;
export const deviceCode = (): string => `oa_dc_${randomToken()}`;

/** Secret part of a personal access token: prefix, 40 random characters, their CRC-32 (auth.md 3.4). */
export function patSecret(prefix: string, entropy = randomLetters(40)): string {
  return `${prefix}${entropy}${Bun.hash.crc32(entropy).toString(16).padStart(8, "0")}`;
}

/** What a bearer value of a PAT names: a row by id with its secret, or a row by the hash of the whole value; null = malformed. */
export function readPat(bearer: string): { id: number | null; hash: string } | null {
  const bar = bearer.indexOf("|");
  if (bar < 0) return { id: null, hash: sha256(bearer) };
  const [id, secret] = [bearer.slice(0, bar), bearer.slice(bar + 1)];
  if (!/^\d{1,16}$/.test(id) || secret === "" || !Number.isSafeInteger(Number(id))) return null;
  return { id: Number(id), hash: sha256(secret) };
}

/** SHA-1 based UUIDv5 of `name` in the DNS namespace, without dashes (mock provider, auth.md 3.1). */
export function uuid5Dns(name: string): string {
  const namespace = Buffer.from("6ba7b8109dad11d180b400c04fd430c8", "hex");
  const bytes = createHash("sha1").update(namespace).update(name).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x50;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  return bytes.toString("hex");
}

export const gravatar = (email: string): string => `https://www.gravatar.com/avatar/${md5(email)}?d=identicon`;
