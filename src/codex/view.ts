import { type SQL, type SQLWrapper, sql } from "drizzle-orm";
import { codexThreads, codexWorkers, type WorkerStatus } from "../../db/schema/codex";
import type { Context } from "../context";
import { accessOf, type ChatThread, type CodexAccess, shownThreads } from "./exports";
import type { Json } from "./json";

/** What `GET /api/me` shows of this domain. */
export interface CodexView {
  chatThreads: ChatThread[];
  codexAccess: CodexAccess;
}

interface StoredView {
  threads: { id: string; title: string | null; preview: string | null; updated: number }[];
  workers: {
    id: string;
    status: WorkerStatus;
    adapter: string;
    source: unknown;
    auth: Json | null;
    heartbeat: number | null;
    started: number | null;
    seq: number;
  }[];
}

const millis = (column: SQLWrapper) => sql`(extract(epoch from ${column}) * 1000)::double precision`;

const thread = sql`json_build_object('id', ${codexThreads.threadId}, 'title', ${codexThreads.title}, 'preview', case when ${codexThreads.title} ~ '\\S' then null else left(${codexThreads.preview}, 200) end, 'updated', ${millis(codexThreads.updatedAt)}) as thread`;

/**
 * `chatThreads` and `codexAccess` of a user as one JSON column of somebody else's statement, so that `GET /api/me` costs one
 * round trip. `userId` and `limit` are expressions of that statement; `readCodexView` reads the column.
 */
export const codexViewColumn = (userId: SQLWrapper, limit: SQLWrapper): SQL<unknown> => sql`json_build_object(
  'threads', (select coalesce(json_agg(thread), '[]'::json) from (
    (select ${thread} from ${codexThreads}
      where ${codexThreads.userId} = ${userId} and ${codexThreads.archivedAt} is null and ${codexThreads.messageCount} <> 0
      order by ${codexThreads.updatedAt} desc, ${codexThreads.threadId} limit ${limit})
    union all
    (select ${thread} from ${codexThreads}
      where ${codexThreads.userId} = ${userId} and ${codexThreads.archivedAt} is null and ${codexThreads.messageCount} = 0
      order by ${codexThreads.createdAt} desc, ${codexThreads.threadId} limit 1)) listed),
  'workers', (select coalesce(json_agg(json_build_object('id', ${codexWorkers.workerId}, 'status', ${codexWorkers.status},
      'adapter', ${codexWorkers.adapter}, 'source', ${codexWorkers.metadata} -> 'source', 'auth', ${codexWorkers.authState},
      'heartbeat', ${millis(codexWorkers.lastHeartbeatAt)}, 'started', ${millis(codexWorkers.startedAt)},
      'seq', ${codexWorkers.latestSeq})), '[]'::json)
    from ${codexWorkers} where ${codexWorkers.ownerUserId} = ${userId}))`;

const instant = (ms: number | null): Date | null => (ms === null ? null : new Date(ms));

/** Reads what `codexViewColumn` selected. */
export function readCodexView(ctx: Context, stored: unknown, limit: number): CodexView {
  const { threads, workers } = (typeof stored === "string" ? JSON.parse(stored) : stored) as StoredView;
  return {
    chatThreads: shownThreads(
      threads.map(({ id, title, preview, updated }) => ({ id, title, preview, updatedAt: new Date(updated) })),
      limit,
    ),
    codexAccess: accessOf(
      ctx,
      workers.map(({ id, status, adapter, source, auth, heartbeat, started, seq }) => ({
        workerId: id,
        status,
        adapter,
        metadata: { source },
        authState: auth,
        lastHeartbeatAt: instant(heartbeat),
        startedAt: instant(started),
        latestSeq: seq,
      })),
    ),
  };
}
