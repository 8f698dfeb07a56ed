import { operatorWorkers } from "../../src/codex/operator";
import { operatorUser } from "../../src/identity/operator";
import type { Call } from "../command";
import { Failure } from "../failure";
import { table, time } from "../print";
import { whole } from "../values";

export async function run({ ctx, options, io, json }: Call): Promise<void> {
  const limit = whole("--limit", options.limit ?? 50, 1, 1000);
  const email = options.user as string | undefined;
  const user = email === undefined ? null : await operatorUser(ctx, email);
  if (email !== undefined && !user) throw new Failure(1, "user_not_found", `User not found for email: ${email}`);
  const found = await operatorWorkers(ctx, { userId: user?.id ?? null, limit });
  const data = found.map((worker) => ({ ...worker, last_heartbeat_at: time(worker.last_heartbeat_at) }));
  if (json) return io.out(`${JSON.stringify({ data, next_cursor: null })}\n`);
  if (!data.length) return io.out("No workers.\n");
  const lines = data.map((w) => [
    w.worker_id,
    w.owner_user_id,
    w.status,
    w.heartbeat,
    w.open_requests,
    w.latest_seq,
    w.last_heartbeat_at,
  ]);
  io.out(table(["worker", "user", "status", "heartbeat", "open", "seq", "last heartbeat"], lines, io.columns));
}
