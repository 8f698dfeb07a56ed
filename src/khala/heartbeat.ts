import { sql } from "drizzle-orm";
import type { Store } from "../../db/database";
import type { Log } from "../telemetry/log";

const BEAT_MS = 5000;
/** For how long a row counts as a node that is alive (khala 4), in seconds. */
export const ALIVE_SECONDS = 15;
/** For how long operators are shown it (http-platform 4). */
export const SHOWN_SECONDS = 60;

/** What a node says of itself in `server_nodes` (http-platform 4, ops-data 4.1). */
export interface NodeFacts {
  version: string;
  buildId: string;
  schemaVersion: number;
}

/** What it carries at present (khala 4). */
export interface Load {
  sockets: number;
  live: number;
  behind: number;
}

export interface Heartbeat {
  /** Writes this node's row now and every 5 s. */
  start(facts: NodeFacts, load: () => Load): Promise<void>;
  /** Writes the row, and looks again who else is there. */
  beat(): Promise<void>;
  /** Whether another node was alive at the last look; a process that is no node looks at most every 5 s. */
  othersAlive(): Promise<boolean>;
  /** Takes the row away. */
  stop(): Promise<void>;
}

interface HeartbeatDeps {
  store: Store;
  id: string;
  startedAt: Date;
  log: Log;
}

/** The nodes that share a Postgres tell each other that they live. On the embedded database there is one process, and no row. */
export function createHeartbeat({ store, id, startedAt, log }: HeartbeatDeps): Heartbeat {
  if (store.kind === "pglite") {
    const nothing = () => Promise.resolve();
    return { start: nothing, beat: nothing, othersAlive: () => Promise.resolve(false), stop: nothing };
  }
  let self: { facts: NodeFacts; load: () => Load } | null = null;
  let timer: Timer | null = null;
  let others = false;
  let lookedAt = Number.NEGATIVE_INFINITY;
  let beats = 0;
  let failing = false;
  let isTwinTold = false;
  const alive = sql`id <> ${id} and seen_at > clock_timestamp() - make_interval(secs => ${ALIVE_SECONDS})`;

  async function beat(): Promise<void> {
    if (!self) return;
    const { facts, load } = self;
    const { sockets, live, behind } = load();
    const [found] = await store.rows<{ others: boolean; was: Date | null }>(
      sql`with was as (select started_at from server_nodes where id = ${id}),
            beat as (
              insert into server_nodes as n (id, build_id, version, schema_version, role, started_at, seen_at, sockets, live, behind)
              values (${id}, ${facts.buildId}, ${facts.version}, ${facts.schemaVersion}, 'serve', ${startedAt.toISOString()}::timestamptz,
                      clock_timestamp(), ${sockets}, ${live}, ${behind})
              on conflict (id) do update set build_id = excluded.build_id, version = excluded.version,
                schema_version = excluded.schema_version, role = excluded.role, started_at = excluded.started_at,
                seen_at = excluded.seen_at, sockets = excluded.sockets, live = excluded.live, behind = excluded.behind)
          select exists (select 1 from server_nodes where ${alive}) as others, (select started_at from was) as was`,
      store.aside,
    );
    lookedAt = performance.now();
    // somebody else has written our row since our last beat
    const twin = beats++ > 0 && found?.was !== null && found?.was.getTime() !== startedAt.getTime();
    if (twin && !isTwinTold) {
      isTwinTold = true;
      log.warn("khala", `another process runs as node ${id}: give each its own OA_NODE_ID`);
    }
    others = found?.others === true || twin;
  }

  async function beatAgain(): Promise<void> {
    try {
      await beat();
      failing = false;
    } catch (error) {
      if (!failing) log.warn("khala", "the node's heartbeat was not written", { error: String(error) });
      failing = true;
    }
  }

  async function othersAlive(): Promise<boolean> {
    if (self || performance.now() - lookedAt < BEAT_MS) return others;
    lookedAt = performance.now();
    const [found] = await store.rows<{ others: boolean }>(
      sql`select exists (select 1 from server_nodes where ${alive}) as others`,
      store.aside,
    );
    others = found?.others === true;
    return others;
  }

  return {
    async start(facts, load) {
      self = { facts, load };
      await beat();
      timer = setInterval(() => void beatAgain(), BEAT_MS);
      timer.unref();
    },
    beat: beatAgain,
    othersAlive,
    async stop() {
      if (timer) clearInterval(timer);
      if (!self) return;
      self = null;
      const mine = sql`id = ${id} and started_at = ${startedAt.toISOString()}::timestamptz`;
      await store.rows(sql`delete from server_nodes where ${mine}`, store.aside);
    },
  };
}

export interface SeenNode extends Record<string, unknown> {
  id: string;
  build_id: string;
  version: string;
  schema_version: number;
  started_at: Date;
  seen_at: Date;
  sockets: number;
  live: number;
  behind: number;
}

/** Nodes whose last heartbeat is younger than `seconds`. None on the embedded database. */
export const seenNodes = (store: Store, seconds: number): Promise<SeenNode[]> =>
  store.kind === "pglite"
    ? Promise.resolve([])
    : store.rows<SeenNode>(
        sql`select id, build_id, version, schema_version, started_at, seen_at, sockets, live, behind from server_nodes
            where seen_at > clock_timestamp() - make_interval(secs => ${seconds}) order by id`,
      );
