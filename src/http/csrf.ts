import { Refusal } from "../refusal";
import type { Facts } from "./facts";
import { sameText } from "./same-text";

const mutating = new Set(["POST", "PUT", "PATCH", "DELETE"]);
/** The baseline's exemptions (auth 2.0). */
const exempt = new Set(["/api/auth/email", "/api/auth/verify"]);

/** 419, and which of the rules of auth 2.0 failed: 1 or 2 (`origin`), 4 (`token`). */
export class CsrfMismatch extends Refusal {
  constructor(readonly rule: "origin" | "token") {
    super("csrf", "CSRF token mismatch.");
  }
}

const decoded = (value: string): string => {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
};

/** Rules 1 and 2: whether a browser says that a foreign page sent this (auth 2.0). */
export function isForeign(request: Request, facts: Facts, appUrl: string): boolean {
  const site = request.headers.get("sec-fetch-site");
  if (site !== null) return site !== "same-origin" && site !== "none";
  const origin = request.headers.get("origin");
  if (origin === null) return false;
  return origin !== facts.origin && origin !== new URL(appUrl).origin;
}

/** Whether a request is one that the CSRF rules look at: a change, authenticated by cookie or on a sign-in form. */
export const needsCsrf = (request: Request, path: string, facts: Facts, form: boolean): boolean =>
  mutating.has(request.method) &&
  !exempt.has(path) &&
  (form ||
    (request.headers.get("authorization") === null &&
      (facts.cookies.oa_access_token !== undefined || facts.cookies.oa_refresh_token !== undefined)));

/** Rules 1 to 4 of auth 2.0; `formToken` is the form field `_token`. Throws 419. */
export function checkCsrf(request: Request, facts: Facts, appUrl: string, formToken?: string): void {
  if (isForeign(request, facts, appUrl)) throw new CsrfMismatch("origin");
  const header = request.headers.get("x-xsrf-token");
  const sent = header !== null ? decoded(header) : (request.headers.get("x-csrf-token") ?? formToken);
  if (sent === undefined) return;
  if (!sameText(sent, decoded(facts.cookies["XSRF-TOKEN"] ?? ""))) throw new CsrfMismatch("token");
}
