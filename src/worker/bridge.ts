import { hostname } from "node:os";
import { type Ask, isForwarded } from "./asks";
import { type Executor, execute, Failed, type Request, turnsOf, workspaceRef } from "./execute";
import { createForward, type Forward } from "./forward";
import { journalPath, openJournal } from "./journal";
import { createKhalaClient, type KhalaClient, type Update } from "./khala-client";
import { mergeKey, payloadOf } from "./payload";
import { type Codex, type CodexMessage, startCodex } from "./rpc";
import { backoff, isRejected, isTransient, Refused, type Server } from "./server";

type Json = Record<string, unknown>;

export interface BridgeOptions {
  server: Server;
  workerId: string;
  workspace: string;
  /** Command of the Codex binary. */
  codex: string[];
  codexVersion: string;
  bridgeVersion: string;
  codexHome: string | null;
  model: string | null;
  allThreads: boolean;
  remotePolicy: boolean;
  /** Further arguments of `codex app-server`, such as `-c` overrides. */
  codexArguments: string[];
  env: Record<string, string | undefined>;
  screen: Screen;
  heartbeatMs?: number;
}

/** What a person at the terminal is told. */
export interface Screen {
  /** Something worth a line. */
  say(line: string, facts?: Json): void;
  debug(line: string): void;
}

export interface Bridge {
  sessionId: string;
  /** Stops in order: open turns are interrupted, events flushed, the worker stopped. */
  stop(): Promise<void>;
  /** Exit code of codex-chat 3.10, when the bridge has ended for any reason. */
  ended: Promise<number>;
}

const object = (value: unknown): Json => (typeof value === "object" && value !== null ? (value as Json) : {});
const text = (value: unknown): string | null => (typeof value === "string" && value ? value : null);
const pollMs = 2000;

/** Connects a Codex installation to a server (codex-chat 3.10). */
export function startBridge(options: BridgeOptions): Bridge {
  const { server, workerId, screen } = options;
  const sessionId = `session_${crypto.randomUUID().replaceAll("-", "")}`;
  const journal = openJournal(journalPath(server.url, workerId, options.env), sessionId);
  const crashed = journal.crashedSession !== null;
  const workerPath = `/api/runtime/codex/workers/${encodeURIComponent(workerId)}`;

  let codex: Codex | null = null;
  let khala: KhalaClient | null = null;
  let stopping = false;
  let stoppedByServer = false;
  let codexFailures = 0;
  let reachable = true;
  let attached = false;
  let finish: (code: number) => void = () => {};
  const ended = new Promise<number>((resolve) => {
    finish = resolve;
  });

  const activeTurns = new Map<string, string>();
  const executor: Executor = {
    codex: () => codex,
    journal,
    workspace: options.workspace,
    model: options.model,
    allThreads: options.allThreads,
    remotePolicy: options.remotePolicy,
    sessionId,
    turns: new Map(),
    asks: new Map<string, Ask>(),
    account: async () => linkOf(await readAccount()),
  };

  const forward: Forward = createForward({
    server,
    workerId,
    sessionId,
    onState(now) {
      if (now !== reachable)
        screen.say(now ? "Connected again." : "The server cannot be reached; what Codex does is kept and sent later.");
      reachable = now;
    },
    onDropped: (event, error) => screen.debug(`event ${event.event_type} was refused: ${error.message}`),
    onRefused(error) {
      if (error.status === 409) {
        screen.say(
          /stale attachment/.test(error.message)
            ? "Another bridge took over this worker."
            : "The worker was stopped from the server.",
        );
        void shutdown(0, true);
      } else rejected(error.message);
    },
  });
  const names = {
    sessionId,
    ourThread: (id: string) => journal.ourThread(id),
    ourTurn: (id: string) => executor.turns.get(id),
  };
  const event = (type: string, payload: Json, merge: string | null = null) =>
    forward.push({ event_type: type, payload: { session_id: sessionId, ...payload } }, merge);

  const rejected = (message: string) => {
    screen.say(`The server refused this machine (${message}). Pair it again: openagents worker pair`);
    void shutdown(4, true);
  };

  // ── Codex ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  async function startProcess(): Promise<void> {
    const env = { ...options.env, ...(options.codexHome ? { CODEX_HOME: options.codexHome } : {}) };
    const own = startCodex(
      [...options.codex, "app-server", ...options.codexArguments],
      { cwd: options.workspace, env },
      {
        message: async (message) => {
          if (message.id !== undefined) serverRequest(own, message);
          else notification(message);
          await forward.room();
        },
        garbage: (line) => screen.debug(`codex printed something that is no message: ${line.slice(0, 200)}`),
        stderr: (line) => screen.debug(`codex: ${line.trimEnd()}`),
        exited: (exit) => codexExited(own, exit),
      },
    );
    codex = own;
    await own.call("initialize", {
      clientInfo: { name: "openagents_worker", title: "OpenAgents worker", version: options.bridgeVersion },
      capabilities: { experimentalApi: false, requestAttestation: false },
    });
    own.notify("initialized");
  }

  function codexExited(own: Codex, { code, signal }: { code: number | null; signal: string | null }): void {
    if (codex !== own) return;
    codex = null;
    executor.asks.clear();
    activeTurns.clear();
    if (stopping) return;
    event("worker.event", {
      source: "autopilot-desktop",
      method: "codex/exited",
      params: { exit_code: code, signal },
      occurred_at: new Date().toISOString(),
    });
    codexFailures++;
    const wait = backoff(codexFailures);
    screen.say(`Codex ended (${signal ?? `exit ${code}`}); starting it again in ${(wait / 1000).toFixed(1)} s.`);
    setTimeout(() => void restart(), wait);
  }

  async function restart(): Promise<void> {
    if (stopping) return;
    try {
      await startProcess();
      codexFailures = 0;
      await reportAccount();
      screen.say("Codex is running again.");
    } catch (error) {
      screen.debug(`codex did not start: ${String(error)}`);
      // A process that is still there gets killed; its end brings the next try.
      if (codex) codex.kill();
      else setTimeout(() => void restart(), backoff(++codexFailures));
    }
  }

  function notification(message: CodexMessage): void {
    const params = object(message.params);
    const turn = object(params.turn);
    if (message.method === "thread/started" && text(object(params.thread).id))
      adoptThread(String(object(params.thread).id));
    if (message.method === "turn/started" && text(turn.id)) {
      activeTurns.set(String(turn.id), String(params.threadId));
      screen.say("Turn started.", { turn: turn.id });
    }
    if (message.method === "turn/completed" && text(turn.id)) {
      activeTurns.delete(String(turn.id));
      screen.say(turn.status === "completed" ? "Turn done." : `Turn ${String(turn.status)}.`, { turn: turn.id });
    }
    if (message.method === "serverRequest/resolved") forgetAsk(params);
    if (message.method === "account/updated") void reportAccount();
    const payload = payloadOf(message, names);
    if (message.method === "serverRequest/resolved" && params.requestId !== undefined) {
      payload.server_request_id = `${sessionId}:${String(params.requestId)}`;
    }
    event("worker.event", payload, mergeKey(message));
  }

  /** A thread that a person began at the machine itself has no name of ours yet: the server gives it one. */
  function adoptThread(codexThreadId: string): void {
    screen.debug(`thread ${codexThreadId}`);
  }

  function forgetAsk({ requestId }: Json): void {
    executor.asks.delete(`${sessionId}:${String(requestId)}`);
  }

  function serverRequest(own: Codex, message: CodexMessage): void {
    const { id, method = "", params = {} } = message;
    if (id === undefined) return;
    if (!isForwarded(method)) {
      own.answer(id, { error: { code: -32601, message: `${method} is not supported` } });
      return;
    }
    const serverRequestId = `${sessionId}:${String(id)}`;
    executor.asks.set(serverRequestId, { id, method, params });
    screen.say("Codex asks for approval; answer it in the browser.", { method });
    event("worker.event", {
      ...payloadOf(message, names),
      server_request_id: serverRequestId,
      available_decisions: params.availableDecisions ?? null,
    });
  }

  // ── Account ────────────────────────────────────────────────────────────────────────────────────────────────────────

  async function readAccount(): Promise<Json> {
    return object(await codex?.call("account/read", {}));
  }

  function linkOf(account: Json): "ok" | "unlinked" {
    if (account.requiresOpenaiAuth === false) return "ok";
    return object(account.account).type === "chatgpt" ? "ok" : "unlinked";
  }

  async function reportAccount(): Promise<void> {
    const read = await readAccount();
    const account = object(read.account);
    const linked = read.account !== null && read.account !== undefined;
    event("worker.event", {
      source: "autopilot-desktop",
      method: "codex/auth_state",
      params: {
        hydration_status:
          linked || read.requiresOpenaiAuth === false
            ? "CODEX_AUTH_HYDRATION_STATUS_AUTHENTICATED"
            : "CODEX_AUTH_HYDRATION_STATUS_UNAUTHENTICATED",
        provider: "openai",
        auth_mode: text(account.type),
        plan_type: text(account.planType),
        requires_openai_auth: read.requiresOpenaiAuth !== false,
        status_reason: null,
        observed_at: new Date().toISOString(),
      },
      occurred_at: new Date().toISOString(),
    });
    screen.say(accountLine(read, account));
  }

  // ── Requests ───────────────────────────────────────────────────────────────────────────────────────────────────────

  let chain: Promise<void> = Promise.resolve();
  const seen = new Set<string>();

  /** One at a time, in the order they were accepted; none waits for a turn to finish. */
  function take(request: Request): void {
    if (stopping || seen.has(request.request_id) || journal.mark(request.request_id) === "done") return;
    seen.add(request.request_id);
    chain = chain
      .then(() => perform(request))
      .catch((error: unknown) => screen.debug(`request failed: ${String(error)}`));
  }

  async function perform(request: Request): Promise<void> {
    const { request_id: requestId, method } = request;
    if (request.deadline_at && Date.parse(request.deadline_at) < Date.now() - 1000) return;
    const base = { request_id: requestId, method };
    try {
      const earlier = journal.mark(requestId) === "executing" ? await alreadyRun(request) : null;
      if (earlier) screen.debug(`request ${requestId} had been run before the bridge ended`);
      if (!earlier && method !== "thread/list" && method !== "thread/read") journal.setMark(requestId, "executing");
      const response = earlier ?? (await execute(executor, request));
      event("worker.response", { ...base, ok: true, response, occurred_at: new Date().toISOString() });
    } catch (error) {
      const failed = error instanceof Failed ? error : new Failed("internal_error", String(error));
      if (failed.code === "internal_error" || failed.code === "worker_unavailable")
        screen.say(`${method} failed: ${failed.message}`);
      event("worker.error", {
        ...base,
        code: failed.code,
        message: failed.message,
        retryable: failed.retryable,
        ...(failed.details ? { details: failed.details } : {}),
        occurred_at: new Date().toISOString(),
      });
    }
    if (method !== "thread/list" && method !== "thread/read") journal.setMark(requestId, "done");
  }

  /** After a crash between `turn/start` and its receipt: the turn is there when its message carries our id. */
  async function alreadyRun(request: Request): Promise<Json | null> {
    const { thread_id, message_id, turn_id } = request;
    const codexThreadId = request.codex_thread_id ?? (thread_id ? journal.codexThread(thread_id) : undefined);
    if (request.method !== "turn/start" || !codex || !codexThreadId || !message_id) return null;
    await codex.call("thread/resume", { threadId: codexThreadId, excludeTurns: true }).catch(() => null);
    const turns = await turnsOf(codex, codexThreadId, 20).catch((): Json[] => []);
    const turn = turns.find(({ items }) =>
      (Array.isArray(items) ? (items as Json[]) : []).some(
        (item) =>
          item.type === "userMessage" && (item.clientId === message_id || item.clientUserMessageId === message_id),
      ),
    );
    if (!turn) return null;
    const codexTurnId = String(turn.id);
    if (turn_id) executor.turns.set(codexTurnId, turn_id);
    const result = {
      thread_id,
      codex_thread_id: codexThreadId,
      turn: { id: turn_id },
      codex_turn_id: codexTurnId,
      steered: false,
    };
    // It ended with the process that ran it: its end is told after the receipt.
    if (turn.status !== "inProgress") setImmediate(() => replayTurn(codexThreadId, turn));
    return result;
  }

  function replayTurn(codexThreadId: string, turn: Json): void {
    const turnId = String(turn.id);
    for (const item of Array.isArray(turn.items) ? (turn.items as Json[]) : []) {
      event(
        "worker.event",
        payloadOf(
          { method: "item/completed", params: { item, threadId: codexThreadId, turnId, completedAtMs: Date.now() } },
          names,
        ),
      );
    }
    event("worker.event", payloadOf({ method: "turn/completed", params: { threadId: codexThreadId, turn } }, names));
  }

  // ── Server ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  async function attach(): Promise<void> {
    const answer = object(
      await server.post("/api/runtime/codex/workers", {
        worker_id: workerId,
        workspace_ref: workspaceRef(options.workspace),
        ...(options.codexHome ? { codex_home_ref: `file://${options.codexHome}` } : {}),
        adapter: "desktop_bridge",
        metadata: {
          source: "autopilot-desktop",
          session_id: sessionId,
          hostname: hostname(),
          platform: `${process.platform}-${process.arch}`,
          codex_version: options.codexVersion,
          bridge_version: options.bridgeVersion,
        },
      }),
    );
    const first = !attached;
    attached = true;
    const pending = object(answer.data).pendingRequests;
    const requests = Array.isArray(pending) ? (pending as Request[]) : [];
    if (first) {
      await reportAccount();
      closeCrashed(requests);
      screen.say(`Connected to ${server.url} as ${workerId}.`, { worker_id: workerId, session_id: sessionId });
    }
    for (const request of requests) take(request);
  }

  /** Turns that the crashed session left open end before anything new is told, unless a request of theirs is looked into. */
  function closeCrashed(pending: Request[]): void {
    if (!crashed || pending.some(({ request_id }) => journal.mark(request_id) === "executing")) return;
    event("worker.event", {
      source: "autopilot-desktop",
      method: "codex/exited",
      params: { exit_code: null, signal: null, reason: "bridge restarted" },
      occurred_at: new Date().toISOString(),
    });
  }

  function update({ payload }: Update): void {
    if (!payload || payload.worker_id !== workerId) return;
    if (payload.eventType === "worker.request") take(payload.payload as unknown as Request);
    if (payload.eventType === "worker.stopped" && attached && !stopping) {
      screen.say("The worker was stopped from the server.");
      void shutdown(0, true);
    }
  }

  let cursor: number | null = null;
  const poller = setInterval(() => void poll(), pollMs);

  /** While no socket can be opened, requests are fetched (codex-chat 2.4). */
  async function poll(): Promise<void> {
    if (stopping || !attached || !khala || khala.isLive()) {
      cursor = null;
      return;
    }
    try {
      if (cursor === null) {
        const snapshot = object(object(await server.get(workerPath)).data);
        cursor = Number(snapshot.latest_seq ?? 0);
        await attach();
        return;
      }
      const page = object(object(await server.get(`${workerPath}/stream?cursor=${cursor}`)).data);
      for (const { event_type, payload } of page.events as { event_type: string; payload: Json }[]) {
        if (event_type === "worker.request") take(payload as unknown as Request);
      }
      cursor = Number(page.next_cursor ?? cursor);
    } catch (error) {
      if (error instanceof Refused && error.status === 410) cursor = null;
      screen.debug(`poll failed: ${String(error)}`);
    }
  }

  const beat = setInterval(() => {
    if (attached && !stopping) {
      event("worker.heartbeat", {
        status: "running",
        observed_at: new Date().toISOString(),
        metadata_patch: { active_turns: activeTurns.size },
      });
    }
  }, options.heartbeatMs ?? 30_000);

  async function shutdown(code: number, quiet: boolean): Promise<void> {
    if (stopping) return;
    stopping = true;
    stoppedByServer = quiet;
    clearInterval(beat);
    clearInterval(poller);
    const own = codex;
    if (own && !quiet) await closeTurns(own);
    if (!quiet && attached) {
      if (activeTurns.size) {
        event("worker.event", {
          source: "autopilot-desktop",
          method: "codex/exited",
          params: { exit_code: 0, signal: null, reason: "worker stopped" },
          occurred_at: new Date().toISOString(),
        });
      }
      await Promise.race([forward.flushed(), Bun.sleep(10_000)]);
      await server
        .post(`${workerPath}/stop`, { reason: "worker_shutdown" })
        .catch((error: unknown) => screen.debug(`stop was not told: ${String(error)}`));
    }
    khala?.stop();
    forward.stop();
    await own?.stop(5000);
    journal.close();
    finish(code);
  }

  /** Interrupts what runs and waits a moment for its end to be told. */
  async function closeTurns(own: Codex): Promise<void> {
    const open = [...activeTurns];
    await Promise.all(
      open.map(([turnId, threadId]) => own.call("turn/interrupt", { threadId, turnId }).catch(() => null)),
    );
    const limit = Date.now() + 3000;
    while (activeTurns.size && Date.now() < limit && codex) await Bun.sleep(20);
  }

  async function begin(): Promise<void> {
    try {
      await startProcess();
    } catch (error) {
      screen.say(`Codex did not start: ${error instanceof Error ? error.message : String(error)}`);
      return finish(1);
    }
    khala = createKhalaClient(server, {
      update,
      rejected,
      state: (state, reason) => screen.debug(`khala ${state}${reason ? `: ${reason}` : ""}`),
      async live(fresh) {
        if (fresh || !attached) await attach().catch(refusedAttach);
      },
    });
  }

  function refusedAttach(error: unknown): void {
    if (isTransient(error)) throw error;
    if (isRejected(error)) {
      rejected(error instanceof Error ? error.message : "refused");
      return;
    }
    screen.say(`The server did not take this worker: ${error instanceof Error ? error.message : String(error)}`);
    void shutdown(1, true);
  }

  void begin();
  return { sessionId, stop: () => shutdown(0, stoppedByServer), ended };
}

function accountLine(read: Json, account: Json): string {
  if (read.requiresOpenaiAuth === false) return "Codex uses a model provider of its own; no account is needed.";
  if (account.type === "chatgpt")
    return `Codex is signed in with ChatGPT${account.planType ? ` (${String(account.planType)})` : ""}.`;
  if (account.type) return "Codex is signed in with an API key; chat needs a ChatGPT account: codex login";
  return "Codex is not signed in: run 'codex login' on this machine.";
}
