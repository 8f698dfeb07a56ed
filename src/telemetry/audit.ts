import { and, desc, eq, gte, like, lt } from "drizzle-orm";
import type { Database } from "../../db/database";
import { auditEvents } from "../../db/schema/platform";
import type { Log } from "./log";
import type { Metrics } from "./metrics";

/** One fact of the audit trail (auth 3.14). Absent members are left out. */
export interface AuditRecord {
  event: string;
  requestId: string;
  outcome?: "success" | "failure" | "rejected";
  userId?: number;
  sessionId?: string;
  orgId?: string;
  deviceId?: string;
  attributes?: Record<string, string>;
}

/** Stores records in the transaction of what they record. */
export async function storeAudit(db: Database, records: AuditRecord[], now: Date): Promise<void> {
  if (!records.length) return;
  await db.insert(auditEvents).values(
    records.map((record) => ({
      eventName: record.event,
      requestId: record.requestId,
      outcome: record.outcome ?? "success",
      occurredAt: now,
      userId: record.userId ?? null,
      sessionId: record.sessionId ?? null,
      orgId: record.orgId ?? null,
      deviceId: record.deviceId ?? null,
      attributes: record.attributes ?? {},
    })),
  );
}

const wholeSeconds = (time: Date) => `${time.toISOString().slice(0, 19)}Z`;

/** The log line and the counter of each record, after its commit. */
export function announceAudit(log: Log, metrics: Metrics, records: AuditRecord[], now: Date): void {
  for (const {
    event,
    requestId,
    outcome = "success",
    userId,
    sessionId,
    orgId,
    deviceId,
    attributes = {},
  } of records) {
    metrics.event(event);
    log.debug("oa.metric", event, { metric_name: event, metric_value: 1 });
    log.info("oa.audit", event, {
      event_name: event,
      request_id: requestId,
      outcome,
      occurred_at: wholeSeconds(now),
      ...(userId === undefined ? {} : { user_id: userId }),
      ...(sessionId ? { session_id: sessionId } : {}),
      ...(orgId ? { org_id: orgId } : {}),
      ...(deviceId ? { device_id: deviceId } : {}),
      ...(Object.keys(attributes).length ? { attributes } : {}),
    });
  }
}

export interface AuditFilter {
  /** A name, or the beginning of names when it ends in `*`. */
  event?: string | undefined;
  userId?: number | undefined;
  since?: Date | undefined;
  /** Rows before this id. */
  before?: number | undefined;
  limit: number;
}

/** Rows of the audit trail, the newest first; one more than the limit. */
export const auditTrail = (db: Database, { event, userId, since, before, limit }: AuditFilter) =>
  db
    .select()
    .from(auditEvents)
    .where(
      and(
        event === undefined
          ? undefined
          : event.endsWith("*")
            ? like(auditEvents.eventName, `${event.slice(0, -1).replace(/[\\%_]/g, "\\$&")}%`)
            : eq(auditEvents.eventName, event),
        userId === undefined ? undefined : eq(auditEvents.userId, userId),
        since === undefined ? undefined : gte(auditEvents.occurredAt, since),
        before === undefined ? undefined : lt(auditEvents.id, before),
      ),
    )
    .orderBy(desc(auditEvents.id))
    .limit(limit + 1);
