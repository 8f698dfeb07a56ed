import { basename, isAbsolute, relative, resolve } from "node:path";
import { type Ask, BadAnswer, resultOf } from "./asks";
import type { Journal } from "./journal";
import { type Codex, CodexError, CodexGone, CodexSilent } from "./rpc";

type Json = Record<string, unknown>;

/** A `worker.request` payload (codex-chat 3.5). */
export interface Request {
  request_id: string;
  method: string;
  params: Json;
  session_id: string | null;
  thread_id: string | null;
  codex_thread_id: string | null;
  turn_id: string | null;
  codex_turn_id: string | null;
  message_id: string | null;
  deadline_at: string | null;
}

/** Why a request failed, as its receipt says it (codex-chat 3.5). */
export class Failed extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly retryable = false,
    readonly details?: Json,
  ) {
    super(message);
  }
}

export interface Executor {
  codex(): Codex | null;
  journal: Journal;
  workspace: string;
  model: string | null;
  allThreads: boolean;
  remotePolicy: boolean;
  /** `danger-full-access` is refused, whatever Codex's configuration says (remote-control 2, `serve --worker`). */
  keepSandbox: boolean;
  sessionId: string;
  /** Turns that run, with their threads, by Codex's ids. */
  active: Map<string, string>;
  /** Turns of ours by Codex's ids. */
  turns: Map<string, string>;
  /** Codex's turns by our ids: a steering turn shares one. */
  codexTurns: Map<string, string>;
  /** Model and effort of Codex's threads. */
  models: Map<string, { model: unknown; effort: unknown }>;
  asks: Map<string, Ask>;
  account(): Promise<"ok" | "unlinked">;
}

const text = (value: unknown): string | null => (typeof value === "string" && value !== "" ? value : null);
const object = (value: unknown): Json =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};

const sandboxes = new Set<unknown>(["readOnly", "workspaceWrite"]);
const sandboxText =
  "Codex is set to run without a sandbox (danger-full-access), which is refused beside the server; start it with --worker-full-access to allow that";
const policyText = "Codex chat requires an authenticated ChatGPT account.";
const remoteForbidden = [
  "approval_policy",
  "approvalPolicy",
  "sandbox",
  "sandbox_policy",
  "sandboxPolicy",
  "config",
  "base_instructions",
  "baseInstructions",
  "permissions",
];

/** Runs one control request against Codex; resolves to `response` of its receipt (codex-chat 3.11). Throws `Failed`. */
export async function execute(deps: Executor, request: Request): Promise<Json> {
  const codex = deps.codex();
  if (!codex) throw new Failed("worker_unavailable", "codex is not running", true);
  if (request.session_id && request.session_id !== deps.sessionId) {
    throw new Failed("conflict", "the session is no longer attached", false, { current_session_id: deps.sessionId });
  }
  checkPolicy(deps, request.params);
  try {
    return await run(deps, codex, request);
  } catch (error) {
    throw explained(error);
  }
}

function checkPolicy({ remotePolicy, workspace }: Executor, params: Json): void {
  const banned = remoteForbidden.find((name) => params[name] !== undefined);
  if (banned && !remotePolicy) throw new Failed("forbidden", `${banned} may not be set from afar`);
  const cwd = text(params.cwd);
  if (!cwd) return;
  const away = relative(workspace, resolve(workspace, cwd));
  if (away.startsWith("..") || isAbsolute(away)) throw new Failed("forbidden", "cwd must lie inside the workspace");
}

async function run(deps: Executor, codex: Codex, request: Request): Promise<Json> {
  const { params, thread_id: threadId } = request;
  switch (request.method) {
    case "thread/start": {
      await requireAccount(deps);
      const started = await startThread(deps, codex, request);
      if (!inputOf(params).length) return started;
      return { ...started, ...(await startTurn(deps, codex, request, started.codex_thread_id as string)) };
    }
    case "thread/resume":
      await requireAccount(deps);
      return resumeThread(deps, codex, request);
    case "thread/list":
      return listThreads(deps, codex, params);
    case "thread/read":
      return readThread(deps, codex, request);
    case "turn/start": {
      await requireAccount(deps);
      if (!threadId) throw new Failed("invalid_request", "turn/start requires thread_id");
      const known = codexThreadOf(deps, request);
      const codexThreadId = known ?? ((await startThread(deps, codex, request)).codex_thread_id as string);
      return startTurn(deps, codex, request, codexThreadId);
    }
    case "turn/interrupt":
      return interrupt(deps, codex, request);
    case "serverRequest/respond":
      return respond(deps, codex, request);
    default:
      throw new Failed("unsupported_method", `${request.method} is not supported`);
  }
}

async function requireAccount(deps: Executor): Promise<void> {
  if ((await deps.account()) === "unlinked") throw new Failed("forbidden", policyText);
}

export const codexThreadOf = ({ journal }: Executor, { thread_id, codex_thread_id }: Request): string | undefined =>
  codex_thread_id ?? (thread_id ? journal.codexThread(thread_id) : undefined);

async function startThread(deps: Executor, codex: Codex, { params, thread_id }: Request): Promise<Json> {
  const model = text(params.model) ?? deps.model;
  const cwd = text(params.cwd);
  const result = object(
    await codex.call("thread/start", {
      cwd: cwd ? resolve(deps.workspace, cwd) : deps.workspace,
      ...(model ? { model } : {}),
      serviceName: "openagents",
    }),
  );
  const thread = object(result.thread);
  const codexThreadId = String(thread.id ?? "");
  opened(deps, codexThreadId, result);
  if (thread_id) deps.journal.mapThread(thread_id, codexThreadId);
  return { thread_id, codex_thread_id: codexThreadId, thread, model: result.model ?? null };
}

/** Codex has opened a thread: how it runs is noted, and refused when it runs without the sandbox that must hold. */
function opened({ keepSandbox, models }: Executor, codexThreadId: string, answer: Json): void {
  if (keepSandbox && !sandboxes.has(object(answer.sandbox).type)) throw new Failed("forbidden", sandboxText);
  models.set(codexThreadId, { model: answer.model ?? null, effort: answer.reasoningEffort ?? null });
}

/** Loads a thread of an earlier process. */
export async function loadThread(deps: Executor, codex: Codex, codexThreadId: string): Promise<Json> {
  const result = object(await codex.call("thread/resume", { threadId: codexThreadId, excludeTurns: true }));
  opened(deps, codexThreadId, result);
  return result;
}

async function resumeThread(deps: Executor, codex: Codex, request: Request): Promise<Json> {
  const codexThreadId = codexThreadOf(deps, request);
  if (!codexThreadId) return startThread(deps, codex, request);
  const result = await loadThread(deps, codex, codexThreadId);
  if (request.thread_id) deps.journal.mapThread(request.thread_id, codexThreadId);
  return {
    thread_id: request.thread_id,
    codex_thread_id: codexThreadId,
    thread: object(result.thread),
    model: result.model ?? null,
  };
}

/** What the person said: `input` parts that may pass, with the text before them when they hold none. */
function inputOf(params: Json): Json[] {
  const parts = (Array.isArray(params.input) ? params.input : []).map((part): Json => {
    const { type, url, text: words } = object(part);
    if (type === "text") return { type, text: String(words ?? ""), text_elements: [] };
    if (type === "image" && typeof url === "string" && /^(https:|data:)/.test(url)) return { type, url };
    throw new Failed("invalid_request", `input of type ${String(type)} may not come from afar`);
  });
  const said = text(params.text) ?? text(params.message) ?? text(params.prompt);
  const spoken = parts.some((part) => part.type === "text" && String(part.text).trim());
  return said && !spoken ? [{ type: "text", text: said, text_elements: [] }, ...parts] : parts;
}

const isLost = (error: unknown): boolean =>
  error instanceof CodexError && /thread not found|no rollout found/i.test(error.message);

export async function startTurn(deps: Executor, codex: Codex, request: Request, codexThreadId: string): Promise<Json> {
  const { params, message_id, thread_id, turn_id } = request;
  const input = inputOf(params);
  if (!input.some((part) => part.type !== "text" || String(part.text).trim()))
    throw new Failed("invalid_request", "Message text is required.");
  const effort = text(params.effort) ?? text(params.reasoning_effort) ?? text(params.reasoning);
  const model = text(params.model) ?? deps.model;
  const call = () =>
    codex.call("turn/start", {
      threadId: codexThreadId,
      ...(message_id ? { clientUserMessageId: message_id } : {}),
      input,
      ...(model ? { model } : {}),
      ...(effort ? { effort } : {}),
      ...(text(params.summary) ? { summary: params.summary } : {}),
      ...(params.outputSchema ? { outputSchema: params.outputSchema } : {}),
    });
  if (deps.keepSandbox && !deps.models.has(codexThreadId)) await loadThread(deps, codex, codexThreadId);
  let result: unknown;
  try {
    result = await call();
  } catch (error) {
    if (!isLost(error)) throw error;
    await loadThread(deps, codex, codexThreadId);
    result = await call();
  }
  const turn = object(object(result).turn);
  const codexTurnId = String(turn.id ?? "");
  const steered = deps.turns.has(codexTurnId);
  // From here on it can be interrupted, also before its start is told.
  deps.active.set(codexTurnId, codexThreadId);
  if (turn_id) {
    if (!steered) deps.turns.set(codexTurnId, turn_id);
    deps.codexTurns.set(turn_id, codexTurnId);
  }
  const running = deps.models.get(codexThreadId);
  deps.models.set(codexThreadId, { model: model ?? running?.model ?? null, effort: effort ?? running?.effort ?? null });
  if (thread_id) deps.journal.mapThread(thread_id, codexThreadId);
  return { thread_id, codex_thread_id: codexThreadId, turn: { id: turn_id }, codex_turn_id: codexTurnId, steered };
}

async function interrupt(deps: Executor, codex: Codex, request: Request): Promise<Json> {
  const codexThreadId = codexThreadOf(deps, request);
  if (!codexThreadId) throw new Failed("conflict", "no active turn to interrupt");
  const codexTurnId =
    request.codex_turn_id ??
    (request.turn_id ? deps.codexTurns.get(request.turn_id) : undefined) ??
    [...deps.active].find(([, thread]) => thread === codexThreadId)?.[0];
  if (!codexTurnId) throw new Failed("conflict", "no active turn to interrupt");
  await codex.call("turn/interrupt", { threadId: codexThreadId, turnId: codexTurnId });
  return { thread_id: request.thread_id, turn_id: request.turn_id, codex_turn_id: codexTurnId, status: "interrupted" };
}

async function listThreads({ allThreads, workspace }: Executor, codex: Codex, params: Json): Promise<Json> {
  const result = object(
    await codex.call("thread/list", {
      limit: typeof params.limit === "number" ? params.limit : 50,
      ...(text(params.cursor) ? { cursor: params.cursor } : {}),
      ...(text(params.search_term) ? { searchTerm: params.search_term } : {}),
      ...(typeof params.archived === "boolean" ? { archived: params.archived } : {}),
      sortKey: "updated_at",
      ...(allThreads ? {} : { cwd: workspace }),
    }),
  );
  return { threads: result.data ?? [], next_cursor: result.nextCursor ?? null };
}

/** Turns of a Codex thread, newest first; a thread that was never used has none. */
export async function turnsOf(codex: Codex, codexThreadId: string, limit: number): Promise<Json[]> {
  try {
    const result = object(
      await codex.call("thread/turns/list", {
        threadId: codexThreadId,
        limit,
        sortDirection: "desc",
        itemsView: "full",
      }),
    );
    return Array.isArray(result.data) ? (result.data as Json[]) : [];
  } catch (error) {
    if (error instanceof CodexError && /list_turns is not supported|is not materialized yet/.test(error.message))
      return [];
    throw error;
  }
}

async function readThread(deps: Executor, codex: Codex, request: Request): Promise<Json> {
  const codexThreadId = codexThreadOf(deps, request);
  if (!codexThreadId) throw new Failed("conflict", "the thread is not known to Codex yet");
  const thread = object(object(await codex.call("thread/read", { threadId: codexThreadId })).thread);
  const limit = typeof request.params.limit === "number" ? request.params.limit : 20;
  return {
    thread_id: request.thread_id,
    codex_thread_id: codexThreadId,
    thread,
    turns: await turnsOf(codex, codexThreadId, limit),
  };
}

function respond(deps: Executor, codex: Codex, { params, thread_id }: Request): Promise<Json> {
  const id = text(params.server_request_id);
  if (!id) throw new Failed("invalid_request", "Server request id is required.");
  const ask = deps.asks.get(id);
  if (!ask)
    throw new Failed("conflict", "the request belongs to an older session", false, {
      current_session_id: deps.sessionId,
    });
  try {
    codex.answer(ask.id, { result: resultOf(ask, params) });
  } catch (error) {
    if (error instanceof BadAnswer) throw new Failed("invalid_request", error.message);
    throw error;
  }
  deps.asks.delete(id);
  return Promise.resolve({ thread_id, server_request_id: id, decision: params.decision ?? null });
}

/** A JSON-RPC error as the receipt's code (codex-chat 3.11). */
function explained(error: unknown): Failed {
  if (error instanceof Failed) return error;
  if (error instanceof CodexGone) return new Failed("internal_error", "codex app-server exited", true);
  if (error instanceof CodexSilent) return new Failed("timeout", error.message, true);
  if (!(error instanceof CodexError))
    return new Failed("internal_error", error instanceof Error ? error.message.slice(0, 500) : "failed");
  const { code, message } = error;
  const details = { codex_code: code };
  const said = message.slice(0, 500);
  if (code === -32601 || /unknown variant/.test(message)) return new Failed("unsupported_method", said, false, details);
  if (/thread not found|no rollout found|no active turn to interrupt|expected active turn id/.test(message))
    return new Failed("conflict", said, false, details);
  if (/missing field|invalid thread id/.test(message)) return new Failed("invalid_request", said, false, details);
  return new Failed("internal_error", said, false, details);
}

/** Name of a workspace on our wire. */
export const workspaceRef = (workspace: string): string => `workspace://${basename(workspace) || "root"}`;
