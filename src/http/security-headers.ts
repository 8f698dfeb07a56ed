import type { Config } from "../config";
import type { Facts } from "./facts";

/** Headers of every answer that is no document (http-platform 2.6). */
export const plainSecurity = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "strict-origin-when-cross-origin",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
} as const;

/** Headers of documents (http-platform 2.6, web-ui 2.1). */
export const documentSecurity = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "strict-origin-when-cross-origin",
  "content-security-policy":
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' ws: wss:; object-src 'none'; base-uri 'self'; frame-ancestors 'none'; form-action 'self'",
  "x-frame-options": "DENY",
  "permissions-policy": "camera=(), microphone=(), geolocation=()",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
} as const;

/** `Strict-Transport-Security` where it applies: https on a host that is not loopback. */
export function transportSecurity(config: Config, facts: Facts): string | null {
  if (facts.scheme !== "https" || config.OA_HSTS_MAX_AGE === 0) return null;
  if (/^(localhost|127\.|\[::1\])/.test(facts.host)) return null;
  return `max-age=${config.OA_HSTS_MAX_AGE}`;
}
