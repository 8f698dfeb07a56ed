import { api } from "../api";
import { session, user } from "../session";
import { app } from "../shell/app";
import { world } from "../world";
import { makeTracker, type Properties } from "./tracker";

/**
 * Product analytics and connection diagnostics, to our own server only (web-ui 11): names and numbers, never what somebody
 * wrote. Development builds tell nothing.
 */
const on = app.buildId !== "" && app.buildId !== "dev";

const tracker = makeTracker({
  post: (events, leaving) =>
    api.post("/api/telemetry/batch", { events }, { keepalive: leaving, guest: user.peek() === null }),
  ready: () => session.peek().kind !== "unknown",
});

/** Notes a product event, such as `login.page_opened`; the part before the dot is its namespace. */
export function track(event: string, properties?: Properties) {
  if (on) tracker.track(event, properties);
}

/** Notes something about the connection; see link.ts. */
export function report(entry: Record<string, unknown>) {
  if (on) tracker.add(entry);
}

/** Notes a navigation inside the app, which the server cannot see; only for people who are signed in. */
export function trackView() {
  if (!on || !user.peek()) return;
  const { href, pathname, host } = location;
  tracker.add({
    event: "$pageview",
    properties: {
      $current_url: href,
      $pathname: pathname,
      host,
      source: "web_shell",
      auth_state: "authenticated",
    },
    timestamp: new Date(world.now()).toISOString(),
  });
}

/** Sends what is left when the page is hidden or goes. Call once at boot. */
export function watchTelemetry() {
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) void tracker.flush({ leaving: true });
  });
  addEventListener("pagehide", () => void tracker.flush({ leaving: true }));
}
