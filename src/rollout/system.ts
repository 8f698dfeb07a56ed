import { schemaVersion } from "../../db/migrate";
import type { Context } from "../context";
import type { RecentError } from "../http/recent-errors";
import { jobCounts } from "../jobs/operator";
import { seenNodes } from "../khala/heartbeat";
import { topicWindows } from "../khala/inspection";
import type { KhalaNode } from "../khala/node";

const shownSeconds = 60;
const busiest = 100;

export interface SystemParts {
  executable: { version: string; buildId: string };
  startedAt: Date;
  khala: KhalaNode;
  sockets(): number;
  recentErrors(): RecentError[];
}

/** Nodes, queues, topics and recent errors (http-platform 2.11). */
export async function systemView(ctx: Context, { executable, startedAt, khala, sockets, recentErrors }: SystemParts) {
  const { store } = ctx;
  const now = ctx.now();
  const [nodes, topics, jobs] = await Promise.all([
    seenNodes(store, shownSeconds),
    topicWindows(store, khala, busiest),
    jobCounts(store),
  ]);
  const here = {
    id: khala.id,
    buildId: executable.buildId,
    startedAt: khala.startedAt.toISOString(),
    seenAt: now.toISOString(),
  };
  return {
    buildId: executable.buildId,
    version: executable.version,
    uptimeSeconds: Math.max(0, Math.floor((now.getTime() - startedAt.getTime()) / 1000)),
    nodes: [
      here,
      ...nodes
        .filter(({ id }) => id !== khala.id)
        .map((node) => ({
          id: node.id,
          buildId: node.build_id,
          startedAt: node.started_at.toISOString(),
          seenAt: node.seen_at.toISOString(),
        })),
    ],
    database: { kind: store.kind, schema: schemaVersion() },
    khala: {
      sockets: sockets(),
      topics: topics.map(({ topic, head_sequence, dropped_messages }) => ({
        topic,
        head: head_sequence,
        floor: dropped_messages,
      })),
    },
    jobs: jobs.map(({ kind, queued, running, dead, lag }) => ({
      kind,
      queued,
      running,
      dead,
      lagSeconds: Math.round(lag * 10) / 10,
    })),
    errors: recentErrors().map(({ at, ...error }) => ({ at: new Date(at).toISOString(), ...error })),
  };
}
