import { describe, expect, test } from "bun:test";
import { signal } from "@preact/signals";
import { sortBatch } from "../../../src/telemetry/batch";
import type { Link } from "../../../ui/khala/client";
import { linkReporter, reasonCode } from "../../../ui/telemetry/link";
import { world } from "../../../ui/world";

function build() {
  const sent: Record<string, unknown>[] = [];
  const reporter = linkReporter((event) => sent.push(event), "20260219T120000Z");
  const link = signal<Link>({ kind: "idle" });
  const lastError = signal<string | null>(null);
  const undo = reporter.watch({ link, lastError });
  const parts = () =>
    sent.map(({ topic_class, reconnect, replay, auth_failure, delivery_error }) => ({
      topic_class,
      ...(reconnect ? { reconnect } : {}),
      ...(replay ? { replay } : {}),
      ...(auth_failure ? { auth_failure } : {}),
      ...(delivery_error ? { delivery_error } : {}),
    }));
  return { sent, reporter, link, lastError, undo, parts };
}

describe("what is reported of a connection", () => {
  test("a first connection is nothing to report", () => {
    const { link, sent } = build();
    link.value = { kind: "connecting" };
    link.value = { kind: "replaying", done: 0, total: 0 };
    link.value = { kind: "live" };
    expect(sent).toEqual([]);
  });

  test("a reconnect, with its last attempt and its reason, and how long catching up took", () => {
    const { link, lastError, parts } = build();
    const real = world.now;
    let now = 1_000;
    world.now = () => now;
    try {
      link.value = { kind: "live" };
      lastError.value = "1006 gone";
      link.value = { kind: "backoff", until: now + 1500, attempt: 1 };
      link.value = { kind: "connecting" };
      link.value = { kind: "backoff", until: now + 3000, attempt: 2 };
      lastError.value = null;
      link.value = { kind: "replaying", done: 0, total: 40 };
      now += 250;
      link.value = { kind: "replaying", done: 40, total: 40 };
      link.value = { kind: "live" };
    } finally {
      world.now = real;
    }
    expect(parts()).toEqual([
      {
        topic_class: "fallback",
        reconnect: { attempt: 2, backoff_ms: 3000, reason_code: "close_1006", resumed: true },
      },
      { topic_class: "fallback", replay: { status: "completed", catchup_duration_ms: 250 } },
    ]);
  });

  test("a stale cursor is told by topic class, and the reconnect did not resume then", () => {
    const { link, reporter, parts } = build();
    link.value = { kind: "backoff", until: 0, attempt: 1 };
    reporter.stale("runtime.codex_worker_events", 12, 1320);
    link.value = { kind: "live" };
    expect(parts()).toEqual([
      {
        topic_class: "codex_worker_events",
        replay: { status: "stale_cursor", requested_after_seq: 12, head_seq: 1320, catchup_duration_ms: 0 },
      },
      { topic_class: "fallback", reconnect: { attempt: 1, backoff_ms: 0, reason_code: "unknown", resumed: false } },
    ]);
  });

  test("a gap, and a session that is over; a topic with an id in it is only its class", () => {
    const { reporter, parts, undo, link } = build();
    reporter.gap("user:7:runs");
    reporter.refused();
    undo();
    link.value = { kind: "backoff", until: 0, attempt: 1 };
    link.value = { kind: "live" };
    expect(parts()).toEqual([
      { topic_class: "fallback", delivery_error: { reason_code: "gap" } },
      {
        topic_class: "fallback",
        auth_failure: { http_status: 401, reason_code: "signed_out", refresh_attempted: true },
      },
    ]);
  });

  test("the server takes every one of them", () => {
    const { link, reporter, sent } = build();
    reporter.stale("runtime.codex_worker_summaries", 1, 2);
    reporter.gap("runtime.codex_worker_events");
    reporter.refused();
    link.value = { kind: "backoff", until: 0, attempt: 1 };
    link.value = { kind: "live" };
    const { clients, dropped } = sortBatch(sent);
    expect([clients.length, dropped, clients.map(({ kind }) => kind)]).toEqual([
      4,
      0,
      ["replay", "delivery_error", "auth_failure", "reconnect"],
    ]);
  });
});

test.each([
  ["1006 reset by peer", "close_1006"],
  ["connection closed (4002)", "close_4002"],
  ["nothing heard for 40 s", "nothing_heard_for_40_s"],
  [null, "unknown"],
  ["", "unknown"],
])("%p is the reason %s", (error, code) => expect(reasonCode(error)).toBe(code));
