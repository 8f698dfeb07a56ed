import { hostname } from "node:os";
import { accountLine, accountLink, authState } from "./account";
import { type CodexProcess, type Exit, keepCodex } from "./codex-process";
import { type Executor, type Request, workspaceRef } from "./execute";
import { followWorker } from "./follow";
import { createForward } from "./forward";
import { fromCodex, namesOf } from "./from-codex";
import { journalPath, openJournal } from "./journal";
import { createKhalaClient, type KhalaClient } from "./khala-client";
import { orphanGone } from "./orphan";
import { phoneEvents } from "./phone";
import { createRequests } from "./requests";
import { retell, retellCrashed } from "./retell";
import { CodexGone } from "./rpc";
import type { Screen } from "./screen";
import { backoff, isRejected, isTransient, type Server } from "./server";
import { turnLines } from "./turn-lines";

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
  /** Refuses threads without a sandbox, whatever Codex's configuration says. */
  keepSandbox: boolean;
  env: Record<string, string | undefined>;
  /** Where the journal is kept, in place of the user's own folder for such things. */
  stateFolder?: string;
  screen: Screen;
  heartbeatMs?: number;
  pollMs?: number;
  orphanMs?: number;
}

export interface Bridge {
  sessionId: string;
  /** Stops in order: open turns are interrupted, events flushed, the worker stopped. */
  stop(): Promise<void>;
  /** Exit code of codex-chat 3.10, when the bridge has ended for any reason. */
  ended: Promise<number>;
}

const object = (value: unknown): Json => (typeof value === "object" && value !== null ? (value as Json) : {});
const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error));
const flushMs = 10_000;
const closeTurnsMs = 3000;

/** Connects a Codex installation to a server (codex-chat 3.10). */
export function startBridge(options: BridgeOptions): Bridge {
  const { server, workerId, screen } = options;
  const sessionId = `session_${crypto.randomUUID().replaceAll("-", "")}`;
  const journal = openJournal(
    journalPath(server.url, workerId, options.stateFolder ? { XDG_STATE_HOME: options.stateFolder } : options.env),
    sessionId,
  );
  const workerPath = `/api/runtime/codex/workers/${encodeURIComponent(workerId)}`;
  const lines = turnLines(screen);

  let khala: KhalaClient | null = null;
  let stopping = false;
  let reachable = true;
  let finish: (code: number) => void = () => {};
  const ended = new Promise<number>((resolve) => {
    finish = resolve;
  });

  const process = keepCodex({
    command: [...options.codex, "app-server"],
    workspace: options.workspace,
    env: { ...options.env, ...(options.codexHome ? { CODEX_HOME: options.codexHome } : {}) },
    bridgeVersion: options.bridgeVersion,
    started: (pid) => journal.codexStarted(pid),
    async message(own, message) {
      said(own, message);
      await forward.room();
    },
    garbage: (line) => lines.garbage(line),
    debug: (line) => screen.debug(line),
    exited: codexExited,
    async restarted() {
      await reportAccount();
      screen.say("Codex is running again.");
    },
  });

  const executor: Executor = {
    codex: () => process.current(),
    journal,
    workspace: options.workspace,
    model: options.model,
    allThreads: options.allThreads,
    remotePolicy: options.remotePolicy,
    keepSandbox: options.keepSandbox,
    sessionId,
    active: new Map(),
    turns: new Map(),
    codexTurns: new Map(),
    models: new Map(),
    asks: new Map(),
    account: async () => accountLink(await readAccount(process)),
  };
  const names = namesOf(executor);

  const forward = createForward({
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
      if (error.status !== 409) {
        rejected(error.message);
        return;
      }
      if (/stale attachment/.test(error.message)) {
        replaced();
        return;
      }
      stoppedByServer();
    },
  });
  const event = (type: string, payload: Json, taken?: () => void) =>
    forward.push({ event_type: type, payload: { session_id: sessionId, ...payload } }, null, taken);
  const note = (method: string, params: Json) =>
    event("worker.event", { source: "autopilot-desktop", method, params, occurred_at: new Date().toISOString() });

  const telling = { executor, names, event };
  const requests = createRequests({
    executor,
    now: () => server.now(),
    receipt: event,
    retell: (threadId, turn) => retell(telling, threadId, turn),
    started: (request) => lines.sent(request),
    failed: (request, failed) => lines.failed(request, failed),
  });
  const phone = phoneEvents({ executor, requests, event, debug: (line) => screen.debug(line) });

  const said = fromCodex({
    executor,
    names,
    forward,
    lines,
    accountChanged: () => void reportAccount().catch((error: unknown) => screen.debug(reason(error))),
  });

  function rejected(message: string): void {
    screen.say(
      `The server refused this machine (${message}). Pair it again: openagents worker pair --server ${server.url}`,
    );
    void shutdown(4, true);
  }

  function replaced(): void {
    if (stopping) return;
    journal.abandon();
    screen.say("Another bridge took over this worker.");
    void shutdown(0, true);
  }

  function stoppedByServer(): void {
    if (stopping) return;
    screen.say("The worker was stopped from the server.");
    void shutdown(0, true);
  }

  // ── Codex ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  function codexExited({ code, signal }: Exit, waitMs: number): void {
    executor.asks.clear();
    executor.active.clear();
    executor.models.clear();
    note("codex/exited", { exit_code: code, signal });
    screen.say(`Codex ended (${signal ?? `exit ${code}`}); starting it again in ${(waitMs / 1000).toFixed(1)} s.`);
  }

  async function reportAccount(): Promise<void> {
    const read = await readAccount(process);
    note("codex/auth_state", authState(read));
    screen.say(accountLine(read));
  }

  /** What an earlier bridge could not say is said; what is open after that ended with it. */
  async function recover(pending: Request[]): Promise<void> {
    if (!journal.crashed) return;
    await retellCrashed(telling, pending);
    note("codex/exited", { exit_code: null, signal: null, reason: "bridge restarted" });
  }

  // ── Server ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  const follow = followWorker({
    server,
    workerId,
    sessionId,
    description: {
      workspace_ref: workspaceRef(options.workspace),
      ...(options.codexHome ? { codex_home_ref: `file://${options.codexHome}` } : {}),
      metadata: {
        source: "autopilot-desktop",
        session_id: sessionId,
        hostname: hostname(),
        platform: `${globalThis.process.platform}-${globalThis.process.arch}`,
        codex_version: options.codexVersion,
        bridge_version: options.bridgeVersion,
      },
    },
    over: () => stopping,
    told: {
      async attached(pending) {
        await reportAccount().catch((error: unknown) => screen.debug(reason(error)));
        await recover(pending);
        screen.say(`Connected to ${server.url} as ${workerId}; waiting for messages.`, {
          worker_id: workerId,
          session_id: sessionId,
        });
      },
      pending: (waiting) => requests.takePending(waiting),
      request: (request) => requests.take(request),
      event: (payload) => phone(payload),
      stopped: stoppedByServer,
      replaced,
    },
  });

  const poller = setInterval(() => void poll(), options.pollMs ?? 2000);
  let polling = false;

  /** While no socket can be opened, the log is read every two seconds. */
  async function poll(): Promise<void> {
    if (stopping || polling || !khala || khala.isLive()) return;
    polling = true;
    try {
      await follow.read();
    } catch (error) {
      if (isRejected(error)) rejected(reason(error));
      else screen.debug(`poll failed: ${reason(error)}`);
    } finally {
      polling = false;
    }
  }

  const beat = setInterval(() => {
    if (!follow.isAttached() || stopping) return;
    const metadata_patch = { active_turns: executor.active.size };
    event("worker.heartbeat", { status: "running", observed_at: new Date().toISOString(), metadata_patch });
  }, options.heartbeatMs ?? 30_000);

  /** `told`: the server knows already, or will not listen. */
  async function shutdown(code: number, told: boolean): Promise<void> {
    if (stopping) return;
    stopping = true;
    clearInterval(beat);
    clearInterval(poller);
    requests.stop();
    await closeTurns();
    if (!told && follow.isAttached()) {
      if (executor.active.size) note("codex/exited", { exit_code: 0, signal: null, reason: "worker stopped" });
      await Promise.race([forward.flushed(), Bun.sleep(flushMs)]);
      await server
        .post(`${workerPath}/stop`, { reason: "worker_shutdown" })
        .catch((error: unknown) => screen.debug(`stop was not told: ${reason(error)}`));
    }
    khala?.stop();
    const clean = code !== 4 && (told || forward.depth() === 0);
    forward.stop();
    await process.stop();
    journal.close(clean);
    finish(code);
  }

  /** Interrupts what runs and waits a moment for its end to be told. */
  async function closeTurns(): Promise<void> {
    const codex = process.current();
    if (!codex) return;
    const limit = Date.now() + closeTurnsMs;
    for (const [turnId, threadId] of executor.active)
      void codex.call("turn/interrupt", { threadId, turnId }).catch(() => null);
    while (executor.active.size && Date.now() < limit && process.current()) await Bun.sleep(20);
  }

  async function begin(): Promise<void> {
    if (journal.crashed?.codexPid) await orphanGone(journal.crashed.codexPid, options.orphanMs);
    try {
      await process.start();
    } catch (error) {
      screen.say(`Codex did not start: ${reason(error)}`);
      void shutdown(1, true);
      return;
    }
    for (let n = 1; !follow.isAttached() && !stopping; n++) {
      try {
        await follow.attach();
      } catch (error) {
        if (!isTransient(error)) {
          refusedAttach(error);
          return;
        }
        if (n === 1) screen.say(`${capital(reason(error))}; trying again.`);
        await Bun.sleep(backoff(n));
      }
    }
    if (stopping) return;
    khala = createKhalaClient(server, {
      update: follow.update,
      summary: follow.summary,
      rejected,
      outdated(message) {
        screen.say(`The server needs a newer version of this program (${message}). Update it and start again.`);
        void shutdown(1, true);
      },
      state: (state, why) => screen.debug(`khala ${state}${why ? `: ${why}` : ""}`),
      live: (since) => (since === "watermark" ? follow.live(since) : follow.live(since).catch(refusedAttach)),
    });
  }

  function refusedAttach(error: unknown): void {
    if (isTransient(error)) throw error;
    if (isRejected(error)) {
      rejected(reason(error));
      return;
    }
    screen.say(`The server did not take this worker: ${reason(error)}`);
    void shutdown(1, true);
  }

  void begin();
  return { sessionId, stop: () => shutdown(0, false), ended };
}

const capital = (words: string): string => words.charAt(0).toUpperCase() + words.slice(1);

async function readAccount(process: CodexProcess): Promise<Json> {
  const codex = process.current();
  if (!codex) throw new CodexGone();
  return object(await codex.call("account/read", {}));
}
