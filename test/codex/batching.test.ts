import { expect, test } from "bun:test";
import { asc, eq } from "drizzle-orm";
import { codexItems, codexThreadMessages, codexThreads, codexTurns } from "../../db/schema/codex";
import type { Json } from "../../src/codex/json";
import { codexThread, codexTurn, notified, onBothEngines, receipt } from "./world";

/** A turn with every kind of streamed item, interrupted in the middle of its last message. */
function aTurn(): Json[] {
  const at = { threadId: codexThread, turnId: codexTurn };
  const say = (method: string, params: Json) => notified(method, { ...at, ...params });
  const usage = { totalTokens: 5, inputTokens: 3, cachedInputTokens: 1, outputTokens: 2, reasoningOutputTokens: 0 };
  const words = Array.from({ length: 8 }, (_, i) => `w${i} `);
  return [
    say("thread/status/changed", { status: { type: "active", activeFlags: [] } }),
    say("turn/started", { turn: { id: codexTurn, startedAt: 1771718400 } }),
    say("item/started", { item: { id: "r", type: "reasoning", summary: [], content: [] }, startedAtMs: 1771718400000 }),
    ...words.map((delta, i) => say("item/reasoning/summaryTextDelta", { itemId: "r", summaryIndex: i % 3, delta })),
    say("item/completed", {
      item: { id: "r", type: "reasoning", summary: ["a", "b"], content: [] },
      completedAtMs: 1771718401000,
    }),
    say("item/started", { item: { id: "c", type: "commandExecution", command: "ls" }, startedAtMs: 1771718401000 }),
    ...words.map((delta) => say("item/commandExecution/outputDelta", { itemId: "c", delta: delta.repeat(3000) })),
    say("item/started", { item: { id: "a1", type: "agentMessage", text: "" }, startedAtMs: 1771718401000 }),
    ...words.map((delta) => say("item/agentMessage/delta", { itemId: "a1", delta })),
    say("item/completed", {
      item: { id: "a1", type: "agentMessage", text: words.join("") },
      completedAtMs: 1771718402000,
    }),
    say("item/started", { item: { id: "e", type: "agentMessage", text: "" }, startedAtMs: 1771718402000 }),
    say("item/completed", { item: { id: "e", type: "agentMessage", text: "" }, completedAtMs: 1771718402000 }),
    say("thread/tokenUsage/updated", { tokenUsage: { last: usage, total: usage } }),
    say("turn/diff/updated", { diff: "+a" }),
    say("turn/plan/updated", { plan: [{ step: "a", status: "completed" }] }),
    say("item/started", { item: { id: "a2", type: "agentMessage", text: "" }, startedAtMs: 1771718402000 }),
    ...words.map((delta) => say("item/agentMessage/delta", { itemId: "a2", delta })),
    say("turn/completed", {
      turn: { id: codexTurn, status: "interrupted", completedAt: 1771718410, durationMs: 10000 },
    }),
  ];
}

function split<T>(events: T[], size: () => number): T[][] {
  const batches: T[][] = [];
  for (let at = 0; at < events.length; ) {
    const next = Math.min(100, Math.max(1, size()));
    batches.push(events.slice(at, at + next));
    at += next;
  }
  return batches;
}

/** A small generator with a seed, so that a failing split can be had again. */
function seeded(seed: number) {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) % 2 ** 32;
    return state / 2 ** 32;
  };
}

onBothEngines(
  "any split of the same events into batches",
  (world) => {
    test("gives the same rows", async () => {
      const { person, attach, request, events, app } = world();
      const random = seeded(7);
      const ways: [string, () => number][] = [
        ["one by one", () => 1],
        ["all at once", () => 100],
        ["at random", () => Math.ceil(random() * 12)],
      ];
      const found: unknown[] = [];
      for (const [way, size] of ways) {
        const ann = await person();
        const threadId = `thread_${way.replaceAll(/\W/g, "_")}`;
        await attach(ann, "desktopw:shared");
        const sent = await request(ann, "desktopw:shared", {
          request_id: "r",
          method: "turn/start",
          params: { thread_id: threadId, text: "go" },
        });
        const { turn, message } = sent.json.data.response;
        const mapped = receipt("r", { codex_thread_id: codexThread, codex_turn_id: codexTurn });
        const echo = notified("item/completed", {
          threadId: codexThread,
          turnId: codexTurn,
          completedAtMs: 1771718400000,
          item: { id: "u", type: "userMessage", clientId: message.id, content: [{ type: "text", text: "go" }] },
        });
        for (const batch of split([mapped, echo, ...aTurn()], size)) {
          expect((await events(ann, "desktopw:shared", ...batch)).status).toBe(202);
        }
        const { db } = app.ctx;
        const [thread] = await db.select().from(codexThreads).where(eq(codexThreads.threadId, threadId));
        const turns = await db.select().from(codexTurns).where(eq(codexTurns.threadId, threadId));
        const items = await db
          .select()
          .from(codexItems)
          .where(eq(codexItems.threadId, threadId))
          .orderBy(asc(codexItems.position));
        const messages = await db
          .select()
          .from(codexThreadMessages)
          .where(eq(codexThreadMessages.threadId, threadId))
          .orderBy(asc(codexThreadMessages.createdAt), asc(codexThreadMessages.ordinal));
        expect(thread?.messageCount).toBe(messages.length);
        found.push({
          thread: {
            status: thread?.status,
            active: thread?.activeTurnId,
            count: thread?.messageCount,
            usage: thread?.tokenUsage,
          },
          turns: turns.map(
            ({ id, status, diff, plan, tokenUsage, durationMs, startedAt, completedAt, codexTurnId }) => [
              id === turn.id,
              status,
              diff,
              plan,
              tokenUsage,
              durationMs,
              startedAt,
              completedAt,
              codexTurnId,
            ],
          ),
          items: items.map(({ itemId, position, type, status, text, payload, startedAt }) => [
            itemId,
            position,
            type,
            status,
            text,
            itemId === "u" ? null : payload,
            startedAt,
          ]),
          messages: messages.map(({ role, text, itemId, streaming }) => [role, text, itemId, streaming]),
        });
      }
      for (const other of found.slice(1)) expect(other).toEqual(found[0]);
      expect(found[0]).toMatchObject({
        thread: { status: "idle", active: null, count: 3 },
        messages: [
          ["user", "go", "u", false],
          ["assistant", expect.stringMatching(/^w0 .* w7 $/), "a1", false],
          ["assistant", expect.stringMatching(/^w0 .* w7 $/), "a2", false],
        ],
      });
      const [{ items }] = found as [{ items: unknown[][] }];
      const output = items.find(([id]) => id === "c")?.[4] as string;
      expect(output).toHaveLength(65_536);
    }, 60_000);
  },
  { RUNTIME_KHALA_CODEX_WORKER_EVENTS_PUBLISH_RATE_PER_SECOND: "1000000" },
);
