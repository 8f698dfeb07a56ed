/**
 * Stands in for `codex app-server` where only the rate matters: the message `rate PER_SECOND COUNT` gets one answer of COUNT
 * deltas, each `d<number>t<milliseconds since 1970>; `.
 */
if (process.argv.includes("--version")) {
  console.log("codex-cli 0.169.0");
  process.exit(0);
}

type Json = Record<string, unknown>;

const clock = () => performance.timeOrigin + performance.now();
const write = (message: Json) => process.stdout.write(`${JSON.stringify(message)}\n`);
const notify = (method: string, params: Json) => write({ method, params, emittedAtMs: Date.now() });
const thread = (id: string) => ({
  id,
  sessionId: id,
  cwd: process.cwd(),
  preview: "",
  modelProvider: "scripted",
  turns: [],
});
const opened = (id: string) => ({
  thread: thread(id),
  model: "scripted",
  modelProvider: "scripted",
  sandbox: { type: "workspaceWrite" },
});
let turns = 0;

async function answer(threadId: string, turnId: string, rate: number, count: number): Promise<void> {
  const where = { threadId, turnId };
  const item = (text: string) => ({ type: "agentMessage", id: `item_${turnId}`, text });
  notify("item/started", { item: item(""), ...where, startedAtMs: Date.now() });
  const since = performance.now();
  let text = "";
  for (let n = 0; n < count; ) {
    const due = Math.min(count, Math.floor(((performance.now() - since) * rate) / 1000) + 1);
    for (; n < due; n++) {
      const delta = `d${n}t${clock().toFixed(1)}; `;
      text += delta;
      notify("item/agentMessage/delta", { ...where, itemId: `item_${turnId}`, delta });
    }
    await Bun.sleep(1);
  }
  notify("item/completed", { item: item(text), ...where, completedAtMs: Date.now() });
  notify("thread/status/changed", { threadId, status: { type: "idle" } });
  notify("turn/completed", { threadId, turn: { id: turnId, items: [], status: "completed", error: null } });
}

function startTurn(id: unknown, { threadId, input, clientUserMessageId }: Json): void {
  const turn = { id: crypto.randomUUID(), status: "inProgress", items: [] };
  write({ id, result: { turn } });
  notify("thread/status/changed", { threadId, status: { type: "active", activeFlags: [] } });
  notify("turn/started", { threadId, turn: { ...turn, startedAt: Math.floor(Date.now() / 1000) } });
  const item = { type: "userMessage", id: `user_${++turns}`, clientId: clientUserMessageId, content: input };
  notify("item/started", { item, threadId, turnId: turn.id, startedAtMs: Date.now() });
  notify("item/completed", { item, threadId, turnId: turn.id, completedAtMs: Date.now() });
  const [, rate, count] = /rate (\d+) (\d+)/.exec(JSON.stringify(input)) ?? [];
  void answer(String(threadId), turn.id, Number(rate ?? 1), Number(count ?? 0));
}

for await (const line of console) {
  const { id, method, params = {} } = JSON.parse(line) as { id?: unknown; method?: string; params?: Json };
  if (method === "initialize") write({ id, result: { userAgent: "scripted" } });
  else if (method === "account/read") write({ id, result: { account: null, requiresOpenaiAuth: false } });
  else if (method === "thread/start") write({ id, result: opened(crypto.randomUUID()) });
  else if (method === "thread/resume") write({ id, result: opened(String(params.threadId)) });
  else if (method === "turn/start") startTurn(id, params);
  else if (id !== undefined && method) write({ id, error: { code: -32600, message: `unknown ${method}` } });
}

export {};
