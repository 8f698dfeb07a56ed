import { api } from "../api";
import { expire, onSignedIn, onSignedOut } from "../session";
import { app } from "../shell/app";
import { answers, reach, unreached, upgradeRequired } from "../status";
import { linkReporter } from "../telemetry/link";
import { report } from "../telemetry/track";
import { world } from "../world";
import { Khala, type Listener, type Token } from "./client";
import type { Update } from "./frames";
import { forgetPositions, loadPositions, savePositions } from "./store";

export const EVENTS = "runtime.codex_worker_events";
export const SUMMARIES = "runtime.codex_worker_summaries";
const SCOPES = [EVENTS, SUMMARIES];

/** Where the socket is; `manifest.json` may announce another address. */
export const socketAddress = { path: "/sync/socket/websocket", buildId: "" };

async function token(): Promise<Token> {
  const { data, failure } = await api.post<{ data: { token: string } }>("/api/sync/token", { scopes: SCOPES });
  if (data) return { ok: true, token: data.data.token };
  if (failure.kind === "unauthorized" || failure.kind === "forbidden") return { ok: false, why: "signed_out" };
  if (failure.kind === "upgrade") return { ok: false, why: "upgrade" };
  return { ok: false, why: "retry", ...(failure.retryAfter ? { after: failure.retryAfter * 1000 } : {}) };
}

const reporter = linkReporter(report, app.buildId);

/** The tab's one connection. Runs while somebody is signed in. */
export const khala = new Khala({
  url: () => new URL(socketAddress.path, location.href.replace(/^http/, "ws")).href,
  token,
  client: { client: "openagents-web" },
  now: () => world.now(),
  random: () => world.random(),
  lost: () => {
    if (reach.value === "ok") void answers().then((yes) => yes || unreached());
  },
  stopped: (why) => {
    if (why === "signed_out") {
      reporter.refused();
      expire();
    }
    if (why === "upgrade") upgradeRequired.value = "A newer version is required.";
  },
  stale: reporter.stale,
  gap: reporter.gap,
  moved: (topic, watermark) => savePositions(topic, watermark),
});

/**
 * Follows a topic on the tab's connection; returns its undo. Register first, load the snapshot after it, and load it
 * again whenever `resync` is called.
 *
 *     return topic(EVENTS).on({ update: apply, resync: load });
 */
export const topic = (name: string): { on(listener: Listener | ((update: Update) => void)): () => void } =>
  khala.topic(name);

/** Keeps the connection while a session lasts and sees to background and return. Call once at boot. */
export function watchConnection() {
  reporter.watch(khala);
  onSignedIn.push(() => {
    void loadPositions().then((known) => {
      for (const { topic, watermark } of known) {
        if (khala.watermarks.get(topic) === undefined) khala.watermarks.set(topic, watermark);
      }
      khala.start();
    });
  });
  onSignedOut.push(() => {
    khala.stop();
    void forgetPositions();
  });
  document.addEventListener("visibilitychange", () => (document.hidden ? khala.hide() : khala.show()));
  addEventListener("online", () => khala.wake());
  addEventListener("pageshow", (event) => (event as PageTransitionEvent).persisted && khala.show());
}
