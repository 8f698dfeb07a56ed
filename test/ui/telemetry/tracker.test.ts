import { afterEach, describe, expect, jest, test } from "bun:test";
import { failureOf, unreachable } from "../../../ui/failure";
import { makeTracker } from "../../../ui/telemetry/tracker";

afterEach(() => {
  jest.useRealTimers();
});

type Answer = { failure?: ReturnType<typeof unreachable>; status: number };

function build(answers: Answer[] = [], ready = () => true) {
  jest.useFakeTimers();
  const sent: { events: { event?: string; properties?: object }[]; leaving: boolean }[] = [];
  const tracker = makeTracker({
    post: (events, leaving) => {
      sent.push({ events: events as (typeof sent)[number]["events"], leaving });
      return Promise.resolve(answers.shift() ?? { status: 202 });
    },
    ready,
  });
  const names = () => sent.map(({ events }) => events.map(({ event }) => event ?? "diagnostic"));
  /** Lets the timers run that are due, and what hangs on them. */
  const pass = async (ms: number) => {
    jest.advanceTimersByTime(ms);
    for (let n = 0; n < 5; n++) await Promise.resolve();
  };
  return { tracker, sent, names, pass };
}
const limited = failureOf(429, new Headers({ "retry-after": "37" }), "{}");

describe("batches", () => {
  test("the first event starts the clock, the namespace comes from the name", async () => {
    const { tracker, sent, pass } = build();
    tracker.track("login.page_opened", { hasPendingCode: false });
    tracker.track("login.code_send_submitted", { emailLength: 12 });
    await pass(4999);
    expect(sent).toEqual([]);
    await pass(1);
    expect(sent.length).toBe(1);
    expect(sent[0]?.events[0]).toMatchObject({
      event: "login.page_opened",
      properties: { namespace: "login", hasPendingCode: false },
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    });
  });

  test("fifty go at once, the rest with the next", async () => {
    const { tracker, names, pass } = build();
    for (let n = 0; n < 60; n++) tracker.track(`a.e${n}`);
    await pass(0);
    expect(names().map((batch) => batch.length)).toEqual([50]);
    await pass(5000);
    expect(names().map((batch) => batch.length)).toEqual([50, 10]);
  });

  test("a page that goes sends what is left", async () => {
    const { tracker, sent } = build();
    tracker.track("a.b");
    await tracker.flush({ leaving: true });
    expect(sent.map(({ leaving, events }) => [leaving, events.length])).toEqual([[true, 1]]);
    await tracker.flush({ leaving: true });
    expect(sent.length).toBe(1);
  });

  test("nothing is sent before it is known who is there", async () => {
    let known = false;
    const { tracker, sent, pass } = build([], () => known);
    tracker.track("a.b");
    await pass(5000);
    expect(sent).toEqual([]);
    known = true;
    await pass(5000);
    expect(sent.length).toBe(1);
  });

  test("long texts are cut", async () => {
    const { tracker, sent, pass } = build();
    tracker.track("home_chat.error_shown", { errorMessage: "x".repeat(5000) });
    await pass(5000);
    expect(sent[0]?.events[0]?.properties).toEqual({ namespace: "home_chat", errorMessage: "x".repeat(300) });
  });
});

describe("what the server says", () => {
  test("204: no analytics; diagnostics go on, product events are gathered no more", async () => {
    const { tracker, names, pass } = build([{ status: 204 }]);
    tracker.track("a.one");
    await pass(5000);
    tracker.track("a.two");
    tracker.add({ schema_version: "x" });
    await pass(5000);
    expect(names()).toEqual([["a.one"], ["diagnostic"]]);
  });

  test("404: nothing is gathered any more", async () => {
    const { tracker, names, pass } = build([{ status: 404, failure: failureOf(404, new Headers(), "{}") }]);
    tracker.track("a.one");
    await pass(5000);
    tracker.add({ schema_version: "x" });
    await pass(60_000);
    expect(names()).toEqual([["a.one"]]);
  });

  test.each([
    ["no network: after a minute", unreachable(true), 60_000],
    ["429: after the time it names", limited, 37_000],
  ])("%s, in order and once", async (_, failure, wait) => {
    const { tracker, names, pass } = build([{ status: failure.status, failure }]);
    tracker.track("a.one");
    await pass(5000);
    tracker.track("a.two");
    await pass(wait - 1);
    expect(names()).toEqual([["a.one"]]);
    await pass(1);
    expect(names()).toEqual([["a.one"], ["a.one", "a.two"]]);
    await pass(120_000);
    expect(names().length).toBe(2);
  });

  test("a refusal drops the batch", async () => {
    const { tracker, names, pass } = build([{ status: 422, failure: failureOf(422, new Headers(), "{}") }]);
    tracker.track("a.one");
    await pass(120_000);
    expect(names()).toEqual([["a.one"]]);
  });

  test("without network the newest 200 are kept", async () => {
    const down = Array.from({ length: 100 }, () => ({ status: 0, failure: unreachable(true) }));
    const { tracker, names, pass } = build(down);
    for (let n = 0; n < 300; n++) {
      tracker.track(`a.e${n}`);
      await pass(0);
    }
    // one try, however many came: the next waits a minute
    expect(names().length).toBe(1);
    down.length = 0;
    for (let n = 0; n < 6; n++) await pass(60_000);
    const last = names().slice(-4).flat();
    expect(last.length).toBe(200);
    expect([last[0], last.at(-1)]).toEqual(["a.e100", "a.e299"]);
  });
});
