import { operatorRequests } from "../../src/codex/operator";
import type { Call } from "../command";
import { usage } from "../failure";
import { table, time } from "../print";
import { since, whole } from "../values";

const states = ["queued", "dispatched", "succeeded", "failed"];

export async function run({ ctx, options, io, json }: Call): Promise<void> {
  const state = (options.state as string | undefined) ?? null;
  if (state !== null && !states.includes(state))
    throw usage(`--state must be one of ${states.join(", ")}, not '${state}'`);
  const limit = whole("--limit", options.limit ?? 50, 1, 1000);
  const cursor = options.cursor as string | undefined;
  const before = cursor === undefined ? null : since("--cursor", cursor, ctx.now());
  const found = await operatorRequests(ctx, { state, before, limit: limit + 1 });
  const page = found.slice(0, limit);
  const next = found.length > limit ? (page.at(-1)?.created_at.toISOString() ?? null) : null;
  const data = page.map((request) => ({
    ...request,
    created_at: time(request.created_at),
    deadline_at: time(request.deadline_at),
    finished_at: time(request.finished_at),
  }));
  if (json) return io.out(`${JSON.stringify({ data, next_cursor: next })}\n`);
  if (!data.length) return io.out("No requests.\n");
  const lines = data.map((r) => [r.request_id, r.worker_id, r.method, r.state, r.created_at, r.deadline_at]);
  io.out(table(["request", "worker", "method", "state", "created", "deadline"], lines, io.columns));
  if (next) io.err(`more with --cursor=${next}\n`);
}
