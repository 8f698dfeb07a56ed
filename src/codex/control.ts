import type { Context } from "../context";
import type { Caller } from "../http/caller";
import type { Facts } from "../http/facts";
import { Refusal } from "../refusal";
import { type ControlReply, type ControlRequest, controlMethod } from "./contract";
import { asJson } from "./json";
import { type Command, submit } from "./requests";
import { rfc3339 } from "./times";

/** A control request as its body states it, after the shape rules passed. */
function commandOf(workerId: string, { request }: ControlRequest): Command {
  return {
    workerId,
    requestId: request.request_id,
    method: controlMethod(request.method) as Command["method"],
    params: asJson(request.params),
    sessionId: request.session_id ?? null,
    threadId: request.thread_id ?? null,
    source: request.source ?? null,
    requestVersion: request.request_version ?? null,
    sentAt: request.sent_at ? rfc3339(request.sent_at) : null,
  };
}

/** Submits a control request and logs how it went (codex-chat 2.5). */
export async function controlRequest(
  ctx: Context,
  caller: Caller,
  facts: Facts,
  workerId: string,
  body: ControlRequest,
): Promise<ControlReply> {
  const command = commandOf(workerId, body);
  const started = performance.now();
  const note = (level: "info" | "warn", how: string, fields: Record<string, unknown>) =>
    ctx.log[level]("oa.codex", `runtime codex control request ${how}`, {
      worker_id: workerId,
      request_id: command.requestId,
      method: command.method,
      request_version: command.requestVersion,
      source: command.source,
      correlation_id: facts.requestId,
      delivery_lag_ms: command.sentAt && Math.max(0, ctx.now().getTime() - command.sentAt.getTime()),
      duration_ms: Math.round(performance.now() - started),
      ...fields,
    });
  try {
    const reply = await submit(ctx, caller, command, { httpRequestId: facts.requestId });
    note("info", "dispatched", { status: 200, ok: true, error: null });
    return reply;
  } catch (error) {
    const refused = error instanceof Refusal;
    note("warn", "failed", {
      status: refused ? error.kind : 500,
      ok: false,
      error: error instanceof Error ? error.message : String(error),
    });
    throw error;
  }
}
