import type { Context } from "../context";
import { clearCookie, setCookie } from "../http/cookies";
import { randomLetters } from "../letters";

const yearSeconds = 31_536_000;

/** The two cookies that keep a browser signed in (auth.md 2.0). */
export function setSessionCookies(ctx: Context, request: Request, tokens: { access: string; refresh: string }): void {
  setCookie(request, "oa_access_token", tokens.access, { maxAge: ctx.config.OA_AUTH_ACCESS_TTL_SECONDS });
  setCookie(request, "oa_refresh_token", tokens.refresh, { maxAge: ctx.config.OA_AUTH_REFRESH_TTL_SECONDS });
}

export function clearSessionCookies(request: Request): void {
  clearCookie(request, "oa_access_token");
  clearCookie(request, "oa_refresh_token");
}

/** What the deletion of an account takes away; the device id stays. */
export function clearAccountCookies(request: Request): void {
  clearSessionCookies(request);
  clearCookie(request, "oa_local_test_auth");
}

/** What sign-out takes away. */
export function clearSignInCookies(request: Request): void {
  clearAccountCookies(request);
  clearCookie(request, "oa_magic_challenge");
}

export const setChallengeCookie = (ctx: Context, request: Request, challenge: string): void =>
  setCookie(request, "oa_magic_challenge", challenge, { maxAge: ctx.config.OA_AUTH_CHALLENGE_TTL_SECONDS });

export const setDeviceCookie = (request: Request, deviceId: string): void =>
  setCookie(request, "oa_device_id", deviceId, { maxAge: yearSeconds });

/** A fresh CSRF token, readable by the page's script. */
export const setCsrfCookie = (request: Request): void =>
  setCookie(request, "XSRF-TOKEN", randomLetters(40), { maxAge: 7200, readable: true });

export type Flash = { status: string } | { errors: Record<string, string> };

/** What the next page shows once (web-ui.md 2.5). */
export const setFlash = (request: Request, flash: Flash): void =>
  setCookie(request, "oa_flash", Buffer.from(JSON.stringify(flash)).toString("base64url"), {
    maxAge: 60,
    readable: true,
  });

/** The page that a guest wanted, when its cookie names one of ours (web-ui.md 2.5); else `/`. */
export function returnPath(cookie: string | undefined, isPage: (path: string) => boolean): string {
  if (!cookie) return "/";
  let path: string;
  try {
    path = decodeURIComponent(cookie);
  } catch {
    return "/";
  }
  if (!/^\/(?![/\\])[!-~]*$/.test(path)) return "/";
  const name = path.split(/[?#]/)[0] as string;
  return name !== "/login" && isPage(name) ? path : "/";
}
