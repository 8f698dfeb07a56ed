import { operatorUser } from "../../src/identity/operator";
import { auditTrail } from "../../src/telemetry/audit";
import type { Call } from "../command";
import { Failure } from "../failure";
import { table, time } from "../print";
import { paged, pageOf, since } from "../values";

export async function run({ ctx, options, io, json }: Call): Promise<void> {
  const { event, user: given, since: from } = options as { event?: string; user?: string; since?: string };
  const page = pageOf(options);
  const user = given === undefined ? null : await operatorUser(ctx, given);
  if (given !== undefined && !user)
    throw new Failure(1, "user_not_found", `No user with the id, e-mail or handle: ${given}`);
  const rows = await auditTrail(ctx.db, {
    event,
    userId: user?.id,
    since: from === undefined ? undefined : since("--since", from, ctx.now()),
    before: page.before ?? undefined,
    limit: page.limit,
  });
  const listed = paged(
    rows.map((row) => ({
      id: row.id,
      event_name: row.eventName,
      request_id: row.requestId,
      outcome: row.outcome,
      occurred_at: time(row.occurredAt),
      user_id: row.userId,
      session_id: row.sessionId,
      org_id: row.orgId,
      device_id: row.deviceId,
      attributes: row.attributes,
    })),
    page,
  );
  if (json) return io.out(`${JSON.stringify(listed)}\n`);
  if (!listed.data.length) return io.out("No audit rows.\n");
  const lines = listed.data.map((row) => [
    row.id,
    row.occurred_at,
    row.event_name,
    row.outcome,
    row.user_id,
    Object.entries(row.attributes)
      .map(([name, value]) => `${name}=${value}`)
      .join(" "),
  ]);
  io.out(table(["id", "when", "event", "outcome", "user", "attributes"], lines, io.columns));
  if (listed.next_cursor) io.err(`more with --cursor=${listed.next_cursor}\n`);
}
