import { describe, expect, test } from "bun:test";
import { authState } from "../../src/codex/events";
import { fingerprint } from "../../src/codex/fingerprint";
import {
  isUuid,
  itemMessageId,
  legacyRequestId,
  newMessageId,
  newThreadId,
  newTurnId,
  newWorkerId,
} from "../../src/codex/ids";
import { messageText, textProblem, threadIdOf } from "../../src/codex/methods";
import { linkState, userLinkState } from "../../src/codex/policy";
import { delivery } from "../../src/codex/stream";
import { rfc3339, wholeSeconds } from "../../src/codex/times";
import { heartbeatState, isLive, mayMove, preferredWorker, type Worker } from "../../src/codex/worker-state";

const now = new Date("2026-02-22T00:10:00.500Z");
const ago = (seconds: number) => new Date(now.getTime() - seconds * 1000);

const worker = (over: Partial<Worker>): Worker => ({
  id: "00000000-0000-0000-0000-000000000001",
  workerId: "w",
  ownerUserId: 1,
  orgId: "org:openagents",
  status: "running",
  latestSeq: 0,
  workspaceRef: null,
  codexHomeRef: null,
  adapter: "in_memory",
  metadata: {},
  executorSessionId: null,
  authState: null,
  startedAt: ago(600),
  stoppedAt: null,
  lastHeartbeatAt: ago(1),
  createdAt: ago(600),
  updatedAt: ago(1),
  ...over,
});

describe("ids", () => {
  test("derived ids match the contract's vectors", () => {
    expect(itemMessageId("thread-control-1", "turn_00000000000000000000000000000001", "msg_1")).toBe(
      "msg_35967ee52248a13587dd9b9732c9d93d",
    );
    expect(legacyRequestId(1001, "thread-stream-alias", "m1")).toBe("legacy_stream_49bbe0a7c03f24ac066510c9522e2538");
  });

  test("generated ids are a word and 32 hex, and differ", () => {
    for (const [word, make] of [
      ["codexw", newWorkerId],
      ["thread", newThreadId],
      ["turn", newTurnId],
      ["msg", newMessageId],
    ] as const) {
      expect(make()).toMatch(new RegExp(`^${word}_[0-9a-f]{32}$`));
      expect(make()).not.toBe(make());
    }
    expect(legacyRequestId(1, "t", null)).not.toBe(legacyRequestId(1, "t", null));
    expect(isUuid("01a2081b-aa27-7571-987d-0df41cd32858")).toBe(true);
    expect(isUuid("thread_1")).toBe(false);
  });
});

describe("fingerprint", () => {
  const vector = {
    method: "thread/start",
    params: { thread_id: "thread-replay-1" },
    session_id: null,
    thread_id: null,
  };
  test("matches the contract's vector", () => {
    expect(fingerprint(vector)).toBe("b1783c06b4e640e5bebf44776e1b04c18cc1e58e89a481a9a32f8f4287caf398");
  });
  test("does not depend on the order of members", () => {
    const a = fingerprint({ ...vector, params: { a: 1, b: { c: 2, d: 3 } } });
    expect(fingerprint({ ...vector, params: { b: { d: 3, c: 2 }, a: 1 } })).toBe(a);
    expect(fingerprint({ ...vector, params: { b: { d: 3, c: 2 }, a: 2 } })).not.toBe(a);
  });
});

describe("heartbeat", () => {
  const rows: [Partial<Worker>, string][] = [
    [{ status: "failed" }, "failed"],
    [{ status: "stopped" }, "stopped"],
    [{ lastHeartbeatAt: null }, "missing"],
    [{ lastHeartbeatAt: ago(120) }, "fresh"],
    [{ lastHeartbeatAt: ago(120.001) }, "stale"],
    [{ lastHeartbeatAt: ago(-5) }, "fresh"],
  ];
  for (const [over, state] of rows) {
    test(`${JSON.stringify(over)} is ${state}`, () =>
      expect(heartbeatState(worker(over), now, 120_000)).toBe(state as "fresh"));
  }
});

describe("live", () => {
  const live = { executorSessionId: "s", adapter: "desktop_bridge" };
  const rows: [string, Partial<Worker>, boolean][] = [
    ["a bridge", live, true],
    ["no executor", { ...live, executorSessionId: null }, false],
    ["in memory", { ...live, adapter: "in_memory" }, false],
    ["stale", { ...live, lastHeartbeatAt: ago(121) }, false],
    ["stopped", { ...live, status: "stopped" }, false],
    ["starting", { ...live, status: "starting" }, false],
  ];
  for (const [name, over, is] of rows) test(name, () => expect(isLive(worker(over), now, 120_000)).toBe(is));
});

describe("state machine", () => {
  const statuses = ["starting", "running", "stopping", "stopped", "failed"] as const;
  const allowed: Record<(typeof statuses)[number], string> = {
    starting: "starting running stopping failed",
    running: "running stopping stopped failed",
    stopping: "stopping stopped failed",
    stopped: "stopped failed",
    failed: "stopped failed",
  };
  for (const from of statuses) {
    for (const to of statuses) {
      const may = allowed[from].split(" ").includes(to);
      test(`${from} to ${to}: ${may}`, () => expect(mayMove(from, to)).toBe(may));
    }
  }
});

describe("preferred worker", () => {
  test("the contract's vector", () => {
    const workers = [
      worker({ workerId: "runtimew:shared" }),
      worker({ workerId: "desktopw:alpha" }),
      worker({ workerId: "desktopw:shared", lastHeartbeatAt: ago(500) }),
    ];
    expect(preferredWorker(workers, now, 120_000)?.workerId).toBe("desktopw:shared");
  });
  const rows: [string, Partial<Worker>[], string | null][] = [
    ["none", [], null],
    ["running before stopped", [{ workerId: "b", status: "stopped" }, { workerId: "a" }], "a"],
    [
      "any when none runs",
      [
        { workerId: "b", status: "stopped" },
        { workerId: "a", status: "failed" },
      ],
      "b",
    ],
    ["a desktop by its adapter", [{ workerId: "z" }, { workerId: "a", adapter: "desktop_bridge" }], "a"],
    ["a desktop by its source", [{ workerId: "z" }, { workerId: "a", metadata: { source: "autopilot-desktop" } }], "a"],
    ["fresh before stale", [{ workerId: "z", lastHeartbeatAt: ago(300) }, { workerId: "a" }], "a"],
    [
      "later heartbeat",
      [
        { workerId: "z", lastHeartbeatAt: ago(9) },
        { workerId: "a", lastHeartbeatAt: ago(8) },
      ],
      "a",
    ],
    [
      "later start",
      [
        { workerId: "z", startedAt: ago(9) },
        { workerId: "a", startedAt: ago(8) },
      ],
      "a",
    ],
    [
      "higher seq",
      [
        { workerId: "z", latestSeq: 1 },
        { workerId: "a", latestSeq: 2 },
      ],
      "a",
    ],
    ["higher id", [{ workerId: "a" }, { workerId: "z" }], "z"],
  ];
  for (const [name, overs, expected] of rows) {
    test(name, () => expect(preferredWorker(overs.map(worker), now, 120_000)?.workerId ?? null).toBe(expected));
  }
});

describe("account policy", () => {
  const rows: [string, Record<string, unknown> | null, string][] = [
    ["no report", null, "unknown"],
    ["ChatGPT", { auth_mode: "chatgpt", requires_openai_auth: true }, "linked"],
    ["ChatGPT tokens", { auth_mode: "chatgptAuthTokens", requires_openai_auth: true }, "linked"],
    ["own provider", { auth_mode: null, requires_openai_auth: false }, "not_required"],
    ["own provider beats an account", { auth_mode: "chatgpt", requires_openai_auth: false }, "not_required"],
    ["nobody signed in", { auth_mode: null, requires_openai_auth: true }, "unlinked"],
    ["API key", { auth_mode: "apikey", requires_openai_auth: true }, "unlinked"],
    ["an error that tells nothing", { hydration_status: "CODEX_AUTH_HYDRATION_STATUS_ERROR" }, "unknown"],
    ["signed out", { hydration_status: "CODEX_AUTH_HYDRATION_STATUS_UNAUTHENTICATED" }, "unlinked"],
  ];
  for (const [name, report, state] of rows) test(name, () => expect(linkState(report)).toBe(state as "linked"));

  test("a person is linked if any worker is", () => {
    const linked = { authState: { auth_mode: "chatgpt", requires_openai_auth: true } };
    const unlinked = { authState: { auth_mode: null, requires_openai_auth: true } };
    expect(userLinkState([unlinked, linked])).toBe("linked");
    expect(userLinkState([unlinked, { authState: null }])).toBe("unlinked");
    expect(userLinkState([])).toBe("unknown");
  });

  test("a report keeps no e-mail, token or user id", () => {
    const report = authState(
      null,
      {
        method: "codex/auth_state",
        params: {
          hydration_status: "CODEX_AUTH_HYDRATION_STATUS_AUTHENTICATED",
          auth_mode: "chatgpt",
          email: "a@b.c",
          token: "x",
        },
      },
      "2026-02-22T00:00:00Z",
    );
    expect(report).toEqual({
      hydration_status: "CODEX_AUTH_HYDRATION_STATUS_AUTHENTICATED",
      provider: null,
      auth_mode: "chatgpt",
      plan_type: null,
      requires_openai_auth: null,
      status_reason: null,
      observed_at: "2026-02-22T00:00:00Z",
    });
  });

  test("account/updated changes the mode and keeps whether an account is required", () => {
    const before = { auth_mode: null, requires_openai_auth: true };
    const report = authState(
      before,
      { method: "account/updated", params: { authMode: "chatgpt", planType: "plus" } },
      "t",
    );
    expect(linkState(report)).toBe("linked");
    expect(report).toMatchObject({ plan_type: "plus", requires_openai_auth: true, observed_at: "t" });
  });
});

describe("parameters", () => {
  test("thread id: the request's, then the params'", () => {
    expect(threadIdOf("a", { thread_id: "b" })).toBe("a");
    expect(threadIdOf(null, { thread_id: " b ", threadId: "c" })).toBe("b");
    expect(threadIdOf(null, { threadId: "c" })).toBe("c");
    expect(threadIdOf(null, { thread_id: "  " })).toBeNull();
  });

  const texts: [Record<string, unknown>, string | null][] = [
    [{ text: " a ", message: "b" }, "a"],
    [{ text: " ", message: "b", prompt: "c" }, "b"],
    [{ prompt: "c" }, "c"],
    [
      {
        input: [
          { type: "image", url: "x" },
          { type: "text", text: "d" },
          { type: "text", text: "e" },
        ],
      },
      "d",
    ],
    [{ text: 7 }, null],
    [{}, null],
  ];
  for (const [params, text] of texts)
    test(`text of ${JSON.stringify(params)}`, () => expect(messageText(params)).toBe(text));

  test("length counts code points", () => {
    expect(textProblem("😀".repeat(20_000))).toBeNull();
    expect(textProblem("a".repeat(20_001))).toBe("Message text exceeds 20000 characters.");
    expect(textProblem(null)).toBe("Message text is required.");
  });
});

describe("times", () => {
  const rows: [unknown, string | null][] = [
    ["2026-02-21T23:50:00Z", "2026-02-21T23:50:00Z"],
    ["2026-02-21T23:50:00.999+01:00", "2026-02-21T22:50:00Z"],
    ["2026-02-30T00:00:00Z", null],
    ["2026-02-21 23:50:00", null],
    ["2026-02-21", null],
    [1771718400, null],
    ["2024-02-29T12:00:00z", "2024-02-29T12:00:00Z"],
  ];
  for (const [text, expected] of rows) {
    test(String(text), () => {
      const instant = rfc3339(text);
      expect(instant && wholeSeconds(instant)).toBe(expected);
    });
  }
});

test("the topic gets its prefix only when it lacks it", () => {
  expect(delivery("org:openagents").topic).toBe("org:openagents:worker_events");
  expect(delivery("user:7").topic).toBe("org:user:7:worker_events");
});
