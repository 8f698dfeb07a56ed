/**
 * A stand-in for `codex app-server` with the traits of codex-chat 6, for fast tests: `bun codex-fake.ts app-server`. It keeps
 * its threads in `$CODEX_HOME/threads.json` and writes every message that it gets to `$CODEX_HOME/calls.jsonl`. What a turn
 * does is its text: `say WORDS`, `flood N`, `ask`, `tool`, `hang`, `crash`, `lost`, `garbage`, `big N`, `stubborn` (deaf to interrupts).
 */
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

type Json = Record<string, unknown>;

interface Turn {
  id: string;
  status: string;
  items: Json[];
}

const home = process.env.CODEX_HOME ?? ".";
const env = process.env;
const store = join(home, "threads.json");

if (process.argv.includes("--version")) {
  console.log(env.FAKE_VERSION ?? "codex-cli 0.169.0");
  process.exit(0);
}

const threads: Record<string, Turn[]> = existsSync(store) ? JSON.parse(readFileSync(store, "utf8")) : {};
const save = () => writeFileSync(store, JSON.stringify(threads));
const loaded = new Set<string>();
const asked = new Map<number, (answer: Json) => void>();
let initialized = false;
let asks = 0;
let stubborn = false;
let running: { thread: string; turn: Turn } | null = null;

const write = (message: Json) => process.stdout.write(`${JSON.stringify(message)}\n`);
const notify = (method: string, params: Json) => write({ method, params, emittedAtMs: Date.now() });
const refuse = (id: unknown, message: string, code = -32600) => write({ id, error: { code, message } });
const ask = (method: string, params: Json): Promise<Json> => {
  const id = asks++;
  write({ method, id, params });
  return new Promise((resolve) => asked.set(id, resolve));
};
const threadOf = (id: string) => ({
  id,
  sessionId: id,
  cwd: process.cwd(),
  preview: "",
  modelProvider: "scripted",
  turns: [],
});
const opened = (id: string) => ({
  thread: threadOf(id),
  model: "scripted",
  modelProvider: "scripted",
  reasoningEffort: "low",
  sandbox: { type: env.FAKE_SANDBOX ?? "workspaceWrite" },
});

function end(thread: string, turn: Turn, status: string, error: Json | null = null): void {
  turn.status = status;
  running = null;
  save();
  const usage = { totalTokens: 15, inputTokens: 10, cachedInputTokens: 2, outputTokens: 5, reasoningOutputTokens: 1 };
  notify("thread/tokenUsage/updated", { threadId: thread, turnId: turn.id, tokenUsage: { total: usage, last: usage } });
  notify("thread/status/changed", { threadId: thread, status: { type: "idle" } });
  notify("turn/completed", { threadId: thread, turn: { id: turn.id, items: [], status, error } });
}

function item(thread: string, turn: Turn, value: Json, during?: () => void): void {
  notify("item/started", { item: { ...value, text: "" }, threadId: thread, turnId: turn.id, startedAtMs: Date.now() });
  during?.();
  turn.items.push(value);
  notify("item/completed", { item: value, threadId: thread, turnId: turn.id, completedAtMs: Date.now() });
}

function say(thread: string, turn: Turn, text: string, parts: string[]): void {
  const id = `item_${turn.items.length}`;
  item(thread, turn, { type: "agentMessage", id, text }, () => {
    for (const delta of parts)
      notify("item/agentMessage/delta", { threadId: thread, turnId: turn.id, itemId: id, delta });
  });
}

async function perform(thread: string, turn: Turn, words: string): Promise<void> {
  const [verb = "", ...rest] = words.split(" ");
  const where = { threadId: thread, turnId: turn.id };
  switch (verb) {
    case "flood": {
      const parts = Array.from({ length: Number(rest[0]) }, (_, i) => `${i} `);
      say(thread, turn, parts.join(""), parts);
      break;
    }
    case "big":
      item(thread, turn, {
        type: "commandExecution",
        id: "c",
        status: "completed",
        aggregatedOutput: "é".repeat(Number(rest[0])),
      });
      break;
    case "ask": {
      notify("thread/status/changed", {
        threadId: thread,
        status: { type: "active", activeFlags: ["waitingOnApproval"] },
      });
      const { result } = await ask("item/commandExecution/requestApproval", {
        ...where,
        itemId: "call_1",
        command: "touch x",
        proposedExecpolicyAmendment: ["touch", "x"],
        availableDecisions: ["accept", "cancel"],
      });
      notify("serverRequest/resolved", { threadId: thread, requestId: asks - 1 });
      say(thread, turn, JSON.stringify(result), [JSON.stringify(result)]);
      break;
    }
    case "tool": {
      const { error } = await ask("item/tool/call", where);
      say(thread, turn, JSON.stringify(error), []);
      break;
    }
    case "hang":
      say(thread, turn, "begun", ["begun"]);
      return;
    case "stubborn":
      stubborn = true;
      return;
    case "crash":
      say(thread, turn, "last words", ["last words"]);
      save();
      process.stdout.write("", () => process.exit(7));
      return;
    case "garbage":
      process.stdout.write("thread 'main' panicked\n{\"half\": \n[1]\n\u0000\u0001\n");
      say(thread, turn, "after the noise", ["after ", "the noise"]);
      break;
    case "fail":
      return end(thread, turn, "failed", { message: "the model said no" });
    default:
      say(thread, turn, words, words.split(/(?<= )/));
  }
  end(thread, turn, "completed");
}

function startTurn(id: unknown, { threadId, input, clientUserMessageId }: Json): unknown {
  const thread = String(threadId);
  if (!loaded.has(thread)) return refuse(id, `thread not found: ${thread}`);
  const words = (input as { text?: string }[]).map(({ text }) => text ?? "").join(" ");
  if (words === "lost") return process.exit(9);
  const user = { type: "userMessage", id: `user_${asks}_${Date.now()}`, clientId: clientUserMessageId, content: input };
  if (running?.thread === thread) {
    running.turn.items.push(user);
    write({ id, result: { turn: { id: running.turn.id, status: "inProgress", items: [] } } });
    return item(thread, running.turn, user);
  }
  const turn: Turn = { id: crypto.randomUUID(), status: "inProgress", items: [] };
  threads[thread]?.push(turn);
  running = { thread, turn };
  save();
  write({ id, result: { turn: { id: turn.id, status: "inProgress", items: [] } } });
  notify("thread/status/changed", { threadId: thread, status: { type: "active", activeFlags: [] } });
  notify("turn/started", { threadId: thread, turn: { id: turn.id, status: "inProgress", items: [], startedAt: 1 } });
  item(thread, turn, user);
  save();
  return perform(thread, turn, words);
}

const methods: Record<string, (id: unknown, params: Json) => unknown> = {
  "account/read": (id) => {
    const account = env.FAKE_ACCOUNT ? { type: env.FAKE_ACCOUNT, planType: "pro", email: "x@y.example" } : null;
    write({ id, result: { account, requiresOpenaiAuth: env.FAKE_AUTH === "required" } });
  },
  "thread/start": (id) => {
    const thread = crypto.randomUUID();
    threads[thread] = [];
    loaded.add(thread);
    save();
    write({ id, result: opened(thread) });
    notify("thread/started", { thread: threadOf(thread) });
  },
  "thread/resume": (id, { threadId }) => {
    if (!threads[String(threadId)]) return refuse(id, `no rollout found for thread id ${threadId}`);
    loaded.add(String(threadId));
    write({ id, result: opened(String(threadId)) });
    const last = threads[String(threadId)]?.at(-1);
    const tokenUsage = { total: { totalTokens: 15 }, last: { totalTokens: 15 }, modelContextWindow: null };
    if (last) notify("thread/tokenUsage/updated", { threadId, turnId: last.id, tokenUsage });
  },
  "thread/list": (id, params) =>
    write({ id, result: { data: Object.keys(threads).map(threadOf), nextCursor: null, seen: params } }),
  "thread/read": (id, { threadId }) => write({ id, result: { thread: threadOf(String(threadId)) } }),
  "thread/turns/list": (id, { threadId }) => {
    const turns = threads[String(threadId)] ?? [];
    if (!turns.length) return refuse(id, `thread ${threadId} is not materialized yet; no turns`);
    write({ id, result: { data: [...turns].reverse() } });
  },
  "turn/start": startTurn,
  "turn/interrupt": (id, { threadId }) => {
    if (stubborn) return;
    if (running?.thread !== threadId) return refuse(id, "no active turn to interrupt");
    const { thread, turn } = running as { thread: string; turn: Turn };
    write({ id, result: {} });
    end(thread, turn, "interrupted");
  },
};

for await (const line of console) {
  appendFileSync(join(home, "calls.jsonl"), `${line}\n`);
  const { id, method, params = {}, ...rest } = JSON.parse(line) as Json & { params?: Json };
  if (method === undefined) {
    asked.get(Number(id))?.(rest);
    asked.delete(Number(id));
  } else if (method === "initialize") {
    if (env.FAKE_BROKEN) {
      console.error("Error loading config.toml: it is broken");
      process.exit(1);
    }
    write({ id, result: { userAgent: "fake" } });
  } else if (method === "initialized") initialized = true;
  else if (!initialized) refuse(id, "Not initialized");
  else if (methods[String(method)]) methods[String(method)]?.(id, params);
  else refuse(id, `Invalid request: unknown variant \`${String(method)}\``);
}
process.exit(0);
