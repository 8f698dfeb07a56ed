import type { Context } from "../context";
import { type AuditRecord, announceAudit, storeAudit } from "../telemetry/audit";
import type { Decision } from "./route-split";

const mostWaiting = 500;
const flushMs = 1000;
/** One in so many of the answers that are always the same is kept (http-platform 3.10). */
const sampling = 100;

/** The home page is answered here whatever is set, like what a wholly moved-in server answers for every page. */
const isConstant = ({ target, reason, path }: Decision): boolean =>
  target === "rust_shell" && (reason === "mode_rust" || (reason === "pilot_route_rust_only" && path === "/"));

export interface DecisionTrail {
  note(decision: Decision, about: { requestId: string; userAgent: string }): void;
  flush(): Promise<void>;
}

/**
 * Counts every decision about a page and keeps it in the audit trail. Rows are gathered and written together, off the
 * request's way: a page is worth no transaction of its own, and a flood of visitors cannot fill the table.
 */
export function decisionTrail(ctx: Context): DecisionTrail {
  let waiting: AuditRecord[] = [];
  let timer: Timer | null = null;
  let constant = 0;

  const flush = async () => {
    if (timer) clearTimeout(timer);
    timer = null;
    const records = waiting;
    waiting = [];
    if (!records.length) return;
    await storeAudit(ctx.db, records, ctx.now()).catch((error: unknown) =>
      ctx.log.warn("oa.rollout", "decisions were not kept", { error_message: String(error), lost: records.length }),
    );
  };

  return {
    flush,
    note(decision, { requestId, userAgent }) {
      const { target, reason } = decision;
      ctx.metrics.count("route_split_decisions_total", { target, reason });
      if (isConstant(decision) && constant++ % sampling !== 0) return;
      if (waiting.length >= mostWaiting) return;
      const record: AuditRecord = {
        event: "route.split.decision",
        requestId,
        attributes: {
          path: decision.path.slice(0, 1000),
          target,
          reason,
          route_domain: decision.route_domain,
          cohort_key: decision.cohort_key.slice(0, 255),
          user_agent: userAgent.slice(0, 256),
          ...(decision.cohort_bucket === undefined ? {} : { cohort_bucket: String(decision.cohort_bucket) }),
          rollback_target: decision.rollback_target,
        },
      };
      announceAudit(ctx.log, ctx.metrics, [record], ctx.now());
      waiting.push(record);
      timer ??= setTimeout(() => void flush(), flushMs);
      timer.unref();
    },
  };
}
