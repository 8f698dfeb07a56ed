import type { Database, Store } from "../db/database";
import type { Config } from "./config";
import type { Outbound } from "./http/outbound";
import type { Throttle } from "./http/throttle";
import type { JobOptions, Jobs } from "./jobs/jobs";
import type { NewEvent } from "./khala/event";
import type { Khala, Numbered } from "./khala/khala";
import type { Analytics } from "./telemetry/analytics";
import { type AuditRecord, announceAudit, storeAudit } from "./telemetry/audit";
import type { Log } from "./telemetry/log";
import type { Metrics } from "./telemetry/metrics";
import type { Spans } from "./telemetry/spans";

/**
 * One transaction and what must follow it. `append`, `audit` and `enqueue` only collect: `commit` writes them as its last
 * statements (khala 3.5) and announces them after the commit, so nothing that was rolled back is ever announced.
 */
export interface Unit {
  db: Database;
  /** An event for the log. */
  append(event: NewEvent): void;
  /** A row of the audit trail, with its log line and counter after the commit (auth 3.14). */
  audit(record: AuditRecord): void;
  /** A durable job, stored in this transaction. */
  enqueue(kind: string, payload: unknown, options?: JobOptions): void;
  /** Runs after the commit. Must not throw. */
  after(announce: () => void): void;
}

/** What every domain function is handed first. */
export interface Context {
  config: Config;
  /** Absolute URL of this server without a trailing slash: `APP_URL`, else the address it listens on. */
  appUrl(): string;
  store: Store;
  db: Database;
  now(): Date;
  log: Log;
  metrics: Metrics;
  analytics: Analytics;
  /** Traces on their way to a collector; null when there is none. */
  spans: Spans | null;
  khala: Khala;
  jobs: Jobs;
  outbound: Outbound;
  throttle: Throttle;
  commit<T>(work: (unit: Unit) => Promise<T>): Promise<T>;
}

/** Builds the context; `commit` exists once, here. */
export function createContext(parts: Omit<Context, "commit" | "db">): Context {
  const { store, khala, jobs, log, metrics } = parts;
  return {
    ...parts,
    db: store.db,
    async commit<T>(work: (unit: Unit) => Promise<T>): Promise<T> {
      // Inside the transaction it would be too late: the embedded database has one connection, which the queue needs too.
      await jobs.opening();
      const events: NewEvent[] = [];
      const audits: AuditRecord[] = [];
      const queued: { kind: string; payload: unknown; options: JobOptions | undefined }[] = [];
      const later: (() => void)[] = [];
      let numbered: Numbered[] = [];
      const at = parts.now();
      const result = await store.db.transaction(async (tx) => {
        const db = tx as unknown as Database;
        const done = await work({
          db,
          append: (event) => void events.push(event),
          audit: (record) => void audits.push(record),
          enqueue: (kind, payload, options) => void queued.push({ kind, payload, options }),
          after: (announce) => void later.push(announce),
        });
        await storeAudit(db, audits, at);
        for (const { kind, payload, options } of queued) await jobs.enqueue(db, kind, payload, options);
        if (events.length) numbered = await khala.append(db, events);
        return done;
      });
      if (numbered.length) khala.publish(numbered);
      announceAudit(log, metrics, audits, at);
      for (const announce of later) announce();
      return result;
    },
  };
}
