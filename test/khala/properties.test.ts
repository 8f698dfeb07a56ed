import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Access } from "../../src/khala/access";
import { canonicalJson, payloadHash } from "../../src/khala/canonical";
import { batchEnd, batchText, frameText, push, reply, sizeOf } from "../../src/khala/frames";
import type { Row } from "../../src/khala/khala";
import { parseMessage, parseSubscribe } from "../../src/khala/protocol";
import { startOf } from "../../src/khala/start";
import { createTails } from "../../src/khala/tail";
import { resolveTopics } from "../../src/khala/topics";
import vectors from "../fixtures/khala_payload_hash_vectors.v1.json";
import golden from "../fixtures/khala-frame-v1.json";

const hex = (base64: string) => Buffer.from(base64, "base64").toString("hex");

describe("canonical JSON (7.2.4)", () => {
  for (const { name, payload, canonical_json: text, sha256 } of vectors.vectors) {
    test(name, () => {
      expect(canonicalJson(payload)).toBe(text);
      expect(`sha256:${hex(payloadHash(text))}`).toBe(sha256);
    });
  }
  const own: [string, string, string][] = [
    ["{}", "{}", "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"],
    [
      '{"9":2,"10":1,"a":3}',
      '{"10":1,"9":2,"a":3}',
      "d6e62753b8541dd53e8db28349f1b082a93958576574f1b34b4fd86fbbd78916",
    ],
  ];
  for (const [given, text, sum] of own) {
    test(`integer-like names sort as text: ${given}`, () => {
      expect(canonicalJson(JSON.parse(given))).toBe(text);
      expect(hex(payloadHash(text))).toBe(sum);
    });
  }

  test("numbers, names beyond the BMP, __proto__, dates, what JSON cannot say", () => {
    expect(canonicalJson({ n: 1.0, z: -0, big: 1e21 })).toBe('{"big":1e+21,"n":1,"z":0}');
    expect(canonicalJson({ "\u{1f600}": 1, "\uffee": 2 })).toBe('{"\uffee":2,"\u{1f600}":1}');
    expect(canonicalJson(JSON.parse('{"b":1,"__proto__":{"c":2}}'))).toBe('{"__proto__":{"c":2},"b":1}');
    expect(canonicalJson({ at: new Date(0), gone: undefined, list: [undefined, () => 1], nan: Number.NaN })).toBe(
      '{"at":"1970-01-01T00:00:00.000Z","list":[null,null],"nan":null}',
    );
  });

  test("idempotent, independent of order, sorted by UTF-8 bytes", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        const text = canonicalJson(value);
        expect(canonicalJson(JSON.parse(text))).toBe(text);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
    fc.assert(
      fc.property(fc.uniqueArray(fc.string({ unit: "grapheme" }), { maxLength: 8 }), (names) => {
        const make = (list: string[]) => JSON.parse(`{${list.map((name) => `${JSON.stringify(name)}:1`).join(",")}}`);
        const sorted = [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
        const expected = `{${sorted.map((name) => `${JSON.stringify(name)}:1`).join(",")}}`;
        expect(canonicalJson(make(names))).toBe(expected);
        expect(canonicalJson(make([...names].reverse()))).toBe(expected);
      }),
    );
  });
});

const row = fc.record({
  seq: fc.nat(),
  kind: fc.string(),
  docKey: fc.string(),
  docVersion: fc.nat(),
  payload: fc.option(fc.jsonValue().map(canonicalJson)),
  payloadHash: fc.option(fc.constant("aGFzaA==")),
});

describe("codec (7.2.3)", () => {
  test("what is encoded parses to what was meant", () => {
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 5 }), fc.string(), fc.boolean(), (rows, topic, done) => {
        const text = batchText(topic, rows, done, 9);
        const batch = JSON.parse(text);
        expect(batch).toEqual({
          updates: rows.map((one) => ({
            topic,
            doc_key: one.docKey,
            doc_version: one.docVersion,
            payload: one.payload === null ? null : JSON.parse(one.payload),
            payload_hash: one.payloadHash,
            watermark: one.seq,
            hydration_required: one.payload === null,
          })),
          replay_complete: done,
          head_watermarks: [{ topic, watermark: 9 }],
        });
        const frame = JSON.parse(frameText(topic, 3, "KHALA_FRAME_KIND_UPDATE_BATCH", text));
        expect(Buffer.from(frame.payload_bytes, "base64").toString()).toBe(text);
        expect(parseMessage(push("sync:update_batch", text))?.event).toBe("sync:update_batch");
      }),
    );
  });

  const ref = fc.oneof(fc.string(), fc.integer(), fc.constant(null));
  test("a message survives; its refs come back as they were", () => {
    fc.assert(
      fc.property(
        ref,
        ref,
        fc.string(),
        fc.string(),
        fc.dictionary(fc.string(), fc.string()),
        (a, b, topic, event, payload) => {
          const message = parseMessage(JSON.stringify([a, b, topic, event, payload]));
          expect(message).toEqual({ joinRef: a, ref: b, topic, event, payload: JSON.parse(JSON.stringify(payload)) });
          expect(JSON.parse(reply(a, b, topic, "ok", {})).slice(0, 3)).toEqual([a, b, topic]);
        },
      ),
    );
  });

  test("arbitrary text never throws, arbitrary subscriptions neither", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.array(fc.jsonValue()).map((list) => JSON.stringify(list)),
        ),
        (text) => {
          const message = parseMessage(text);
          if (message) expect(JSON.parse(text)).toHaveLength(5);
        },
      ),
    );
    fc.assert(
      fc.property(
        fc.record({ topics: fc.jsonValue(), resume_after: fc.jsonValue(), replay_batch_size: fc.jsonValue() }),
        (payload) => {
          const wanted = parseSubscribe(payload);
          if ("bad" in wanted) return;
          expect(wanted.topics.length).toBeGreaterThan(0);
          expect(wanted.batch).toBeGreaterThanOrEqual(1);
          expect(wanted.batch).toBeLessThanOrEqual(1000);
        },
      ),
    );
  });

  test("a message as deep as 64 KiB allows is a bad frame, not a crash", () => {
    const text = `[null,null,"a","b",{"a":${"[".repeat(30_000)}${"]".repeat(30_000)}}]`;
    expect(parseMessage(text)).toBeNull();
  });

  test("58 the golden frames: the first and third parse, the second's bytes are no JSON", () => {
    const parsed = golden.fixtures.map(({ frame }) => {
      try {
        return JSON.parse(Buffer.from(frame.payload_bytes, "base64").toString());
      } catch {
        return null;
      }
    });
    expect(parsed.map((one) => one !== null)).toEqual([true, false, true]);
    const [batch, , stale] = parsed;
    const ours = JSON.parse(
      batchText(
        "runtime.run_summaries",
        [{ seq: 42, kind: "", docKey: "run:42", docVersion: 42, payload: '{"status":"running"}', payloadHash: null }],
        false,
        45,
      ),
    );
    expect(ours).toMatchObject(batch);
    expect(stale.code).toBe("stale_cursor");
  });

  test("a batch ends at its count or at 256 KiB of update text, and holds at least one", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(200_000), { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 1, max: 10 }),
        (sizes, count) => {
          const rows: Row[] = sizes.map((size, seq) => ({
            seq,
            kind: "",
            docKey: "",
            docVersion: 1,
            payload: `"${"x".repeat(size)}"`,
            payloadHash: null,
          }));
          const end = batchEnd(rows, 0, count);
          expect(end).toBeGreaterThanOrEqual(1);
          expect(end).toBeLessThanOrEqual(count);
          const bytes = (to: number) => rows.slice(0, to).reduce((sum, one) => sum + sizeOf(one), 0);
          if (end > 1) expect(bytes(end)).toBeLessThanOrEqual(256 * 1024);
          if (end < Math.min(count, rows.length)) expect(bytes(end + 1)).toBeGreaterThan(256 * 1024);
        },
      ),
    );
  });
});

describe("start (7.2.5)", () => {
  const table: [number, number, number, number | undefined, object][] = [
    [0, 3, 20000, 1, { at: 1, reason: "resume" }],
    [42, 45, 20000, 10, { stale: "retention_floor_breach" }],
    [310, 320, 3000, 309, { stale: "retention_floor_breach" }],
    [310, 320, 3000, 310, { at: 310, reason: "resume" }],
    [1, 2, 20000, 0, { at: 1, reason: "retention_floor" }],
    [0, 4, 2, 0, { at: 2, reason: "replay_budget" }],
    [0, 4, 2, 1, { stale: "replay_budget_exceeded" }],
    [0, 4, 2, 2, { at: 2, reason: "resume" }],
    [0, 25, 5, 10, { stale: "replay_budget_exceeded" }],
    [7, 7, 1, 7, { at: 7, reason: "resume" }],
    [7, 7, 1, 8, { stale: "cursor_ahead_of_head" }],
    [0, 0, 1, undefined, { at: 0, reason: "start" }],
  ];
  for (const [floor, head, budget, resume, expected] of table) {
    test(`floor ${floor}, head ${head}, budget ${budget}, resume ${resume}`, () => {
      expect(startOf(resume, floor, head, budget)).toEqual(expected as ReturnType<typeof startOf>);
    });
  }

  test("against a log that is written out", () => {
    fc.assert(
      fc.property(
        fc.nat(40),
        fc.nat(40),
        fc.integer({ min: 1, max: 30 }),
        fc.option(fc.nat(90)),
        (floor, held, budget, asked) => {
          const log = Array.from({ length: held }, (_, i) => floor + 1 + i);
          const head = floor + held;
          const start = startOf(asked ?? undefined, floor, head, budget);
          const rest = (after: number) => log.filter((seq) => seq > after);
          if ("stale" in start) {
            const n = asked as number;
            expect(n).toBeGreaterThan(0);
            const complete = n <= head && n >= floor && rest(n).length === head - n && rest(n).length <= budget;
            expect(complete).toBe(false);
            return;
          }
          expect(rest(start.at)).toHaveLength(head - start.at);
          expect(head - start.at).toBeLessThanOrEqual(budget);
          if (asked) expect(start.at).toBe(asked);
        },
      ),
    );
  });
});

describe("entitlement (7.2.7)", () => {
  const part = fc.constantFrom(
    "user",
    "7",
    "8",
    "07",
    "org",
    "openagents",
    "runtime",
    "codex_worker_events",
    "worker",
    "desktopw",
    "lifecycle",
    "run",
    "events",
    "fleet",
    "workers",
    "guest",
    "runs",
    "payments",
    "notifications",
    "",
  );
  const name = fc.oneof(
    fc.constantFrom(
      "runtime.codex_worker_events",
      "runtime.codex_worker_summaries",
      "runtime.run_summaries",
      "runtime.notifications",
      "social.shouts",
      "sys.revocations",
      "u:8:runs",
    ),
    fc.array(part, { minLength: 1, maxLength: 5 }).map((parts) => parts.join(":")),
  );
  const scope = fc.constantFrom(
    "runtime.codex_worker_events",
    "runtime.codex_worker_summaries",
    "runtime.run_summaries",
    "runtime.run_events",
    "runtime.worker_lifecycle_events",
    "runtime.notifications",
  );
  /** Workers and runs belong to whom their id says. */
  const access: Access = {
    verify: async () => ({ denied: "invalid_token" }),
    standings: async () => new Map(),
    members: async (asked) => asked.map(({ orgId }) => orgId === "org:openagents"),
    workers: async (asked) =>
      asked.map(({ userId, workerId }) => (workerId.includes(String(userId)) ? `pk${userId}` : null)),
    runs: async (asked) => asked.map(({ userId, runId }) => runId.includes(String(userId))),
  };

  test("what is allowed belongs to the principal or is public; a name has one stream", async () => {
    let allowed = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(7, 8),
        fc.array(scope, { maxLength: 4 }),
        fc.array(name, { minLength: 1, maxLength: 10 }),
        fc.boolean(),
        async (userId, scopes, names, browser) => {
          const principal = { userId, scopes, sessionId: browser ? "sess_1" : "pat:1", workerId: null };
          const ask = () =>
            resolveTopics(
              access,
              names.map((topic) => ({ topic, principal })),
            );
          const found = await ask();
          expect(found.map(({ topic }) => topic)).toEqual(names);
          for (const one of found) {
            if ("denied" in one) continue;
            allowed++;
            const { stream, owner } = one;
            const mine =
              stream.startsWith(`u:${userId}:`) ||
              stream === `w:pk${userId}:lifecycle` ||
              (stream.startsWith("r:") && stream.includes(String(userId)));
            expect(mine || (stream === "social.shouts" && owner === null)).toBe(true);
          }
          const streamsOf = (list: typeof found) => list.map((one) => ("stream" in one ? one.stream : one.denied));
          expect(streamsOf(await ask())).toEqual(streamsOf(found));
        },
      ),
      { numRuns: 500 },
    );
    expect(allowed).toBeGreaterThan(100);
  });
});

describe("tail", () => {
  test("gives consecutive rows or says that it does not reach back; memory is shared", () => {
    const tails = createTails(200_000);
    const [one, two] = [tails.create(), tails.create()];
    const make = (from: number, count: number, pad = 100): Row[] =>
      Array.from({ length: count }, (_, i) => ({
        seq: from + i,
        kind: "",
        docKey: "",
        docVersion: 1,
        payload: `"${"x".repeat(pad)}"`,
        payloadHash: null,
      }));
    one.push(make(1, 600));
    expect(one.after(87, 3)).toBeNull();
    expect(one.after(88, 3)?.map(({ seq }) => seq)).toEqual([89, 90, 91]);
    expect(one.after(600, 3)).toEqual([]);
    two.push(make(1, 10, 15_000));
    expect(tails.bytes()).toBeLessThanOrEqual(200_000);
    expect(one.after(599, 3)).toBeNull();
    two.push(make(20, 1));
    expect(two.after(18, 1)).toBeNull();
    expect(two.after(19, 1)).toHaveLength(1);
    two.drop();
    expect(tails.bytes()).toBe(0);
  });
});
