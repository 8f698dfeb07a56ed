import type { Context } from "../context";
import { isEmail } from "../http/rules";
import { sameText } from "../http/same-text";
import { forbidden, invalid, notFound } from "../refusal";
import { isTestGround, testUser } from "./bootstrap";
import { hmac256 } from "./credentials";
import { foldEmail } from "./names";
import { providerOf } from "./providers";
import type { Visit } from "./sessions";
import { openFor, type SignedIn } from "./sign-in";

export const testLoginPath = "/internal/test-login";

/** The signature of a test-login link: over path, `?` and the raw query without the signature pair (auth.md 3.12). */
export function testLoginSignature(key: string, rawQuery: string): string {
  const pairs = rawQuery.split("&").filter((pair) => pair !== "" && pair.split("=")[0] !== "signature");
  return hmac256(key, `${testLoginPath}?${pairs.join("&")}`);
}

/** A signed test-login link; `base` is put in front and not signed. `expires` in epoch seconds. */
export function testLoginLink(
  key: string,
  base: string,
  wanted: { email: string; expires: number; name?: string },
): string {
  const encode = (text: string) =>
    encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
  const query = [
    `email=${encode(wanted.email)}`,
    `expires=${wanted.expires}`,
    ...(wanted.name ? [`name=${encode(wanted.name)}`] : []),
  ].join("&");
  return `${base.replace(/\/+$/, "")}${testLoginPath}?${query}&signature=${testLoginSignature(key, query)}`;
}

/** Signs a test user in by a signed link (auth.md 2.12); refusals in that order. */
export async function testLogin(
  ctx: Context,
  rawQuery: string,
  how: { deviceId: string; visit: Visit },
): Promise<SignedIn> {
  const { config } = ctx;
  const key = config.OA_AUTH_LOCAL_TEST_LOGIN_SIGNING_KEY;
  if (!isTestGround(config.APP_ENV) || !config.OA_AUTH_LOCAL_TEST_LOGIN_ENABLED || !key) throw notFound();
  const query = new URLSearchParams(rawQuery);
  const given = query.get("signature")?.trim().toLowerCase() ?? "";
  const expires = query.get("expires") ?? "";
  const fresh = /^\d{1,12}$/.test(expires) && Number(expires) > ctx.now().getTime() / 1000;
  if (!sameText(given, testLoginSignature(key, rawQuery)) || !fresh) throw forbidden("Invalid signature.");
  const email = foldEmail(query.get("email") ?? "");
  if (!email || !isEmail(email)) throw invalid("email", "Invalid email.");
  if (!config.OA_AUTH_LOCAL_TEST_LOGIN_ALLOWED_EMAILS.some((allowed) => foldEmail(allowed) === email))
    throw forbidden("Forbidden.");
  return ctx.commit(async (unit) => {
    const { user, created } = await testUser(ctx, unit, email, query.get("name")?.trim() || null);
    return openFor(ctx, unit, user, created, {
      ...how,
      tokenName: "device:unknown",
      client: null,
      lane: "cookie",
      door: "web",
      provider: providerOf(config),
    });
  });
}
