import type { RequestState } from "../http/state";
import type { Analytics } from "../telemetry/analytics";

/**
 * Notes that a signed-in person saw a page: GET, not HEAD (http-platform 3.11; auth 3.14). Guests are never noted. Call it for
 * documents below 400 only.
 */
export function pageview(analytics: Analytics, request: Request, { caller, facts, path }: RequestState): void {
  if (!analytics.on || !caller?.user.email || request.method !== "GET") return;
  const query = request.url.indexOf("?");
  analytics.capture(caller.user.email, "$pageview", {
    $current_url: facts.origin + path + (query < 0 ? "" : request.url.slice(query)),
    $pathname: path,
    host: facts.host.replace(/:\d+$/, ""),
    source: "laravel_web_middleware",
    auth_state: "authenticated",
  });
}
