import type { Facts } from "./facts";
import { stateOf } from "./state";

interface CookieOptions {
  maxAge: number;
  /** Readable by script (`XSRF-TOKEN`, `oa_flash`, `oa_return_to`). */
  readable?: boolean;
}

/** The header exactly as auth 2.0 writes it. */
export const cookieText = (facts: Facts, name: string, value: string, { maxAge, readable }: CookieOptions): string =>
  `${name}=${value}; Path=/;${readable ? "" : " HttpOnly;"}${facts.secureCookies ? " Secure;" : ""} SameSite=Lax; Max-Age=${maxAge}`;

/** Sets a cookie on the answer of this request, whatever its status. */
export function setCookie(request: Request, name: string, value: string, options: CookieOptions): void {
  const state = stateOf(request);
  state.cookies ??= [];
  state.cookies.push(cookieText(state.facts, name, value, options));
}

/** Clears a cookie: empty value, `Max-Age=0`. */
export const clearCookie = (request: Request, name: string, readable = false): void =>
  setCookie(request, name, "", { maxAge: 0, readable });
