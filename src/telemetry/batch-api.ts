import { Elysia, t } from "elysia";
import { limits } from "../http/limits";
import { platform } from "../http/platform";
import type { Analytics } from "./analytics";
import { forward, sortBatch } from "./batch";
import { TelemetryBatch, TelemetryTaken } from "./batch-contract";
import { clientEvents } from "./client-events";
import type { Log } from "./log";
import type { Metrics } from "./metrics";

interface Parts {
  analytics: Analytics;
  log: Log;
  metrics: Metrics;
  now(): Date;
}

/** What clients report of their use and their connections (http-platform 2.10). `appKey` names guests for a day. */
export function telemetryApi(parts: Parts, appKey: () => Buffer) {
  const count = clientEvents(parts.log, parts.metrics);
  return new Elysia({ name: "telemetry", tags: ["Telemetry"] }).use(platform).post(
    "/api/telemetry/batch",
    ({ caller, facts, body, status }) => {
      const { products, clients, dropped } = sortBatch(body.events);
      const { on } = parts.analytics;
      if (!on && !clients.length) return status(204, undefined);
      for (const { event, kind } of clients) count(event, kind, facts.requestId);
      if (on) forward({ ...parts, appKey }, caller, facts, products);
      const accepted = clients.length + (on ? products.length : 0);
      const lost = dropped + (on ? 0 : products.length);
      if (lost) parts.metrics.count("telemetry_dropped_total", {}, lost);
      return status(202, { data: { accepted, dropped: lost } });
    },
    {
      maybeUser: true,
      throttle: limits.telemetry,
      body: TelemetryBatch,
      response: { 202: TelemetryTaken, 204: t.Void() },
      detail: { operationId: "telemetryBatch", summary: "Report product events and client diagnostics" },
    },
  );
}
