import { afterEach, beforeEach, describe, expect, jest, test } from "bun:test";
import { Khala, type Token } from "../../../ui/khala/client";
import type { Update } from "../../../ui/khala/frames";

const E = "runtime.codex_worker_events";
const M = "runtime.codex_worker_summaries";

/** A socket whose other end the test plays. */
class FakeSocket {
  static all: FakeSocket[] = [];
  readyState = 0;
  sent: [null, string, string, string, Record<string, unknown>][] = [];
  closedWith: number | undefined;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  constructor(
    readonly url: string,
    readonly protocols: string[],
  ) {
    FakeSocket.all.push(this);
  }
  send(text: string) {
    this.sent.push(JSON.parse(text));
  }
  close(code: number) {
    this.readyState = 3;
    this.closedWith = code;
  }
  open() {
    this.readyState = 1;
    this.onopen?.();
  }
  hear(event: string, payload: unknown, ref: string | null = null) {
    this.onmessage?.({ data: JSON.stringify([null, ref, "sync:v1", event, payload]) });
  }
  drop(code: number, reason = "") {
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }
  last(event: string) {
    return this.sent.findLast((frame) => frame[3] === event);
  }
  reply(event: string, response: unknown, status = "ok") {
    const frame = this.last(event);
    if (!frame) throw new Error(`nothing asked for ${event}`);
    this.hear("phx_reply", { status, response }, frame[1]);
  }
  batch(topic: string, from: number, to: number, head = to) {
    const updates = Array.from({ length: to - from + 1 }, (_, n) => ({
      topic,
      doc_key: `d:${from + n}`,
      doc_version: from + n,
      payload: { seq: from + n },
      watermark: from + n,
      hydration_required: false,
    }));
    this.hear("sync:update_batch", {
      updates,
      replay_complete: to === head,
      head_watermarks: [{ topic, watermark: head }],
    });
  }
}

let tokens = 0;
let answer: Token | null = null;
let stopped: string[] = [];
let lost = 0;

const make = () =>
  new Khala({
    url: () => "ws://oa.test/sync/socket/websocket",
    token: async () => answer ?? { ok: true, token: `t${++tokens}` },
    connect: (url, protocols) => new FakeSocket(url, protocols) as unknown as WebSocket,
    random: () => 0.5,
    now: () => Date.now(),
    stopped: (why) => stopped.push(why),
    lost: () => lost++,
  });

const socket = (n = FakeSocket.all.length - 1): FakeSocket => {
  const one = FakeSocket.all[n];
  if (!one) throw new Error("no socket");
  return one;
};
/** Lets the token's promise settle. */
const settle = async () => {
  for (let n = 0; n < 5; n++) await Promise.resolve();
};
const marks = (...pairs: [string, number][]) => ({
  current_watermarks: pairs.map(([topic, watermark]) => ({ topic, watermark })),
});

function follow(khala: Khala, topic: string) {
  const seen: number[] = [];
  const calls = { resync: 0 };
  const undo = khala
    .topic(topic)
    .on({ update: ({ watermark }: Update) => seen.push(watermark), resync: () => calls.resync++ });
  return { seen, calls, undo };
}
async function connect(khala: Khala) {
  khala.start();
  await settle();
  socket().open();
  socket().reply("phx_join", {});
}
async function live(khala: Khala, ...pairs: [string, number][]) {
  await connect(khala);
  if (pairs.length > 0) socket().reply("sync:subscribe", marks(...pairs));
}
/** The next attempt, after its delay. */
async function next(ms: number) {
  jest.advanceTimersByTime(ms);
  await settle();
}

beforeEach(() => {
  FakeSocket.all = [];
  tokens = 0;
  answer = null;
  stopped = [];
  lost = 0;
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

describe("connecting", () => {
  test("subprotocols carry the token; join asks for batches; one subscribe names every topic at its head", async () => {
    const khala = make();
    follow(khala, E);
    follow(khala, M);
    expect(khala.link.value.kind).toBe("idle");
    await connect(khala);
    expect(socket().protocols).toEqual(["khala.ws.v1", "bearer.t1"]);
    expect(socket().last("phx_join")).toMatchObject([
      null,
      "1",
      "sync:v1",
      "phx_join",
      { frames: "batch", protocol_version: "khala.ws.v1" },
    ]);
    expect(socket().last("sync:subscribe")?.[4]).toEqual({
      topics: [E, M],
      resume_after: { [E]: "head", [M]: "head" },
      replay_batch_size: 200,
    });
    expect(khala.link.value.kind).toBe("replaying");
  });

  test("live only after the subscribe reply, then who starts anew loads the snapshot", async () => {
    const khala = make();
    const events = follow(khala, E);
    await connect(khala);
    expect(events.calls.resync).toBe(0);
    socket().reply("sync:subscribe", marks([E, 40]));
    expect(khala.link.value).toEqual({ kind: "live" });
    expect(khala.caughtUp.value).toBe(true);
    expect(events.calls.resync).toBe(1);
    socket().batch(E, 41, 42);
    expect(events.seen).toEqual([41, 42]);
  });

  test("nobody listens: live all the same; a topic asked for before the join waits for it", async () => {
    const khala = make();
    khala.start();
    await settle();
    socket().open();
    follow(khala, E);
    expect(socket().last("sync:subscribe")).toBeUndefined();
    socket().reply("phx_join", {});
    expect(socket().last("sync:subscribe")?.[4].topics).toEqual([E]);
    const other = make();
    await connect(other);
    expect(other.link.value.kind).toBe("live");
  });

  test("a topic followed later is subscribed alone; left, it is unsubscribed and forgotten", async () => {
    const khala = make();
    follow(khala, E);
    await live(khala, [E, 5]);
    const late = follow(khala, M);
    expect(socket().last("sync:subscribe")?.[4]).toMatchObject({ topics: [M], resume_after: { [M]: "head" } });
    socket().reply("sync:subscribe", marks([M, 9]));
    expect(late.calls.resync).toBe(1);
    late.undo();
    expect(socket().last("sync:unsubscribe")?.[4]).toEqual({ topics: [M] });
    socket().batch(M, 10, 10);
    expect(late.seen).toEqual([]);
    expect(khala.watermarks.list()).toEqual([{ topic: E, watermark: 5 }]);
  });

  test("a second listener of a topic neither subscribes nor ends it", async () => {
    const khala = make();
    const first = follow(khala, E);
    await live(khala, [E, 5]);
    const sent = socket().sent.length;
    const second = follow(khala, E);
    first.undo();
    expect(socket().sent).toHaveLength(sent);
    socket().batch(E, 6, 6);
    expect([first.seen, second.seen]).toEqual([[], [6]]);
  });
});

describe("applying", () => {
  test("duplicates are dropped, order is kept", async () => {
    const khala = make();
    const events = follow(khala, E);
    await live(khala, [E, 3]);
    socket().batch(E, 4, 6);
    socket().batch(E, 5, 7);
    expect(events.seen).toEqual([4, 5, 6, 7]);
  });

  test("a gap is reported and the topic is resumed from the last one", async () => {
    const khala = make();
    const events = follow(khala, E);
    await live(khala, [E, 3]);
    const complain = jest.spyOn(console, "error").mockImplementation(() => {});
    socket().batch(E, 6, 7);
    expect(complain).toHaveBeenCalledTimes(1);
    complain.mockRestore();
    expect(events.seen).toEqual([]);
    expect(socket().last("sync:subscribe")?.[4]).toMatchObject({ topics: [E], resume_after: { [E]: 3 } });
    socket().batch(E, 4, 7);
    expect(events.seen).toEqual([4, 5, 6, 7]);
  });

  test("a listener that throws harms nobody else", async () => {
    const khala = make();
    const complain = jest.spyOn(console, "error").mockImplementation(() => {});
    khala.topic(E).on(() => {
      throw new Error("mine");
    });
    const events = follow(khala, E);
    await live(khala, [E, 0]);
    socket().batch(E, 1, 2);
    expect(events.seen).toEqual([1, 2]);
    complain.mockRestore();
  });

  test("what is no frame is ignored", async () => {
    const khala = make();
    await live(khala);
    for (const data of ["hello", "{}", "[1,2,3]", "[null,null,1,2,3]", new ArrayBuffer(4)])
      socket().onmessage?.({ data });
    expect(khala.link.value.kind).toBe("live");
  });

  test("watermarks of heartbeats are never applied", async () => {
    const khala = make();
    const events = follow(khala, E);
    await live(khala, [E, 3]);
    socket().hear("sync:heartbeat", { watermarks: [{ topic: E, watermark: 9 }] });
    socket().batch(E, 4, 4);
    expect(events.seen).toEqual([4]);
  });
});

describe("after a drop", () => {
  test("a new token, the known watermarks resumed, progress shown, nothing loaded anew", async () => {
    const khala = make();
    const events = follow(khala, E);
    await live(khala, [E, 3]);
    socket().drop(1006);
    expect(khala.link.value).toMatchObject({ kind: "backoff", attempt: 1 });
    expect(lost).toBe(1);
    expect(khala.caughtUp.value).toBe(false);
    await next(1500);
    expect(socket().protocols[1]).toBe("bearer.t2");
    socket().open();
    socket().reply("phx_join", {});
    expect(socket().last("sync:subscribe")?.[4].resume_after).toEqual({ [E]: 3 });
    socket().batch(E, 4, 103, 343);
    expect(khala.link.value).toEqual({ kind: "replaying", done: 100, total: 340 });
    socket().batch(E, 104, 343);
    socket().reply("sync:subscribe", marks([E, 343]));
    expect(khala.link.value.kind).toBe("live");
    expect(events.seen).toHaveLength(340);
    expect(events.calls.resync).toBe(1);
  });

  test("the delays are 1500, 3000, 6000, 8000, 8000 ms and start over after a live session", async () => {
    const khala = make();
    follow(khala, E);
    khala.start();
    await settle();
    const waits: number[] = [];
    for (let n = 0; n < 5; n++) {
      socket().drop(1006);
      const link = khala.link.value;
      if (link.kind !== "backoff") throw new Error(link.kind);
      waits.push(link.until - Date.now());
      await next(8000);
    }
    expect(waits).toEqual([1500, 3000, 6000, 8000, 8000]);
    socket().open();
    socket().reply("phx_join", {});
    socket().reply("sync:subscribe", marks([E, 1]));
    socket().drop(1006);
    expect(khala.link.value).toMatchObject({ kind: "backoff", attempt: 1 });
  });

  test.each([
    [1012, "reconnect_after_ms=700", 700],
    [4408, "heartbeat_timeout", 0],
    [4429, "rate_limited", 8000],
    [4409, "slow_consumer", 1500],
    [1013, "try_again_later", 1500],
    [4999, "", 1500],
  ])("close %p %p: again after %p ms", async (code, reason, ms) => {
    const khala = make();
    await live(khala);
    socket().drop(code, reason);
    const link = khala.link.value;
    expect(link.kind === "backoff" && link.until - Date.now()).toBe(ms);
  });

  test.each([
    [4401, "signed_out"],
    [4403, "operator"],
    [4426, "upgrade"],
    [4400, "broken"],
  ] as const)("close %p: no more attempts, %s", async (code, why) => {
    const khala = make();
    await live(khala);
    socket().drop(code);
    expect(khala.link.value).toEqual({ kind: "stopped", why });
    expect(stopped).toEqual([why]);
    await next(60_000);
    expect(FakeSocket.all).toHaveLength(1);
  });

  test("no token: 401 stops, an outage retries after what it says", async () => {
    const khala = make();
    answer = { ok: false, why: "retry", after: 5000 };
    khala.start();
    await settle();
    const link = khala.link.value;
    expect(link.kind === "backoff" && link.until - Date.now()).toBe(5000);
    answer = { ok: false, why: "signed_out" };
    await next(5000);
    expect(khala.link.value.kind).toBe("stopped");
    expect(FakeSocket.all).toHaveLength(0);
  });

  test("wake tries at once", async () => {
    const khala = make();
    await live(khala);
    socket().drop(1006);
    khala.wake();
    await settle();
    expect(FakeSocket.all).toHaveLength(2);
    await next(8000);
    expect(FakeSocket.all).toHaveLength(2);
  });
});

describe("errors of topics", () => {
  const stale = {
    code: "stale_cursor",
    message: "cursor is older than retention floor",
    stale_topics: [{ topic: M, head_watermark: 45, retention_floor: 42, resume_after: 10 }],
  };

  test("a stale cursor goes on from the head after a snapshot, the others where they were", async () => {
    const khala = make();
    const events = follow(khala, E);
    const summaries = follow(khala, M);
    await live(khala, [E, 3], [M, 10]);
    socket().drop(1006);
    await next(1500);
    socket().open();
    socket().reply("phx_join", {});
    socket().hear("sync:error", stale);
    socket().reply("sync:subscribe", stale, "error");
    expect(socket().last("sync:subscribe")?.[4].resume_after).toEqual({ [E]: 3, [M]: 45 });
    socket().reply("sync:subscribe", marks([E, 3], [M, 45]));
    expect(summaries.calls.resync).toBe(2);
    expect(events.calls.resync).toBe(1);
    socket().batch(M, 46, 46);
    expect(summaries.seen).toEqual([46]);
    expect(khala.link.value.kind).toBe("live");
  });

  test("unasked, in the middle of a live subscription", async () => {
    const khala = make();
    const summaries = follow(khala, M);
    await live(khala, [M, 10]);
    socket().hear("sync:error", stale);
    expect(socket().last("sync:subscribe")?.[4].resume_after).toEqual({ [M]: 45 });
    socket().reply("sync:subscribe", marks([M, 45]));
    expect(summaries.calls.resync).toBe(2);
  });

  test("forbidden topics are dropped, the rest is subscribed", async () => {
    const khala = make();
    follow(khala, E);
    follow(khala, M);
    await connect(khala);
    socket().reply("sync:subscribe", { code: "forbidden_topic", message: "no", forbidden_topics: [M] }, "error");
    expect(socket().last("sync:subscribe")?.[4].topics).toEqual([E]);
    socket().reply("sync:subscribe", marks([E, 1]));
    expect(khala.link.value.kind).toBe("live");
  });

  test("a log that cannot be read: a new attempt", async () => {
    const khala = make();
    follow(khala, E);
    await connect(khala);
    socket().reply("sync:subscribe", { code: "internal", message: "temporarily unavailable" }, "error");
    expect(khala.link.value.kind).toBe("backoff");
    expect(khala.lastError.value).toBe("subscribe failed");
  });
});

describe("signs of life", () => {
  test("a heartbeat with the watermarks; 40 s of silence end the connection", async () => {
    const khala = make();
    follow(khala, E);
    await live(khala, [E, 7]);
    jest.advanceTimersByTime(20_000);
    expect(socket().last("sync:heartbeat")?.[4]).toEqual({ watermarks: [{ topic: E, watermark: 7 }] });
    jest.advanceTimersByTime(20_000);
    expect(khala.link.value.kind).toBe("live");
    jest.advanceTimersByTime(10_000);
    expect(khala.link.value.kind).toBe("backoff");
    expect(socket(0).closedWith).toBe(4000);
  });

  test("back from the background: not caught up until the server answered; no answer in 4 s reconnects", async () => {
    const khala = make();
    await live(khala);
    khala.hide();
    jest.advanceTimersByTime(1000);
    khala.show();
    expect(khala.caughtUp.value).toBe(false);
    socket().reply("sync:heartbeat", { watermarks: [] });
    expect(khala.caughtUp.value).toBe(true);
    khala.show();
    jest.advanceTimersByTime(4000);
    expect(khala.link.value.kind).toBe("backoff");
  });

  test("hidden for five minutes the socket is given up, and resumed on return", async () => {
    const khala = make();
    const events = follow(khala, E);
    await live(khala, [E, 7]);
    for (let n = 0; n < 31; n++) {
      if (n === 0) khala.hide();
      jest.advanceTimersByTime(10_000);
      if (socket().readyState === 1) socket().hear("sync:heartbeat", { watermarks: [] });
    }
    expect(socket(0).closedWith).toBe(1000);
    khala.show();
    await settle();
    socket().open();
    socket().reply("phx_join", {});
    expect(socket().last("sync:subscribe")?.[4].resume_after).toEqual({ [E]: 7 });
    socket().reply("sync:subscribe", marks([E, 7]));
    expect(events.calls.resync).toBe(1);
  });

  test("stop forgets everything", async () => {
    const khala = make();
    follow(khala, E);
    await live(khala, [E, 7]);
    khala.stop();
    expect(khala.watermarks.list()).toEqual([]);
    expect(khala.link.value.kind).toBe("idle");
    expect(socket().closedWith).toBe(1000);
  });
});
