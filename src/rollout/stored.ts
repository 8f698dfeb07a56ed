import { maintenanceState, routeSplitOverrides } from "../../db/schema/platform";
import type { Context } from "../context";

export type Target = "legacy" | "rust_shell";

export interface StoredMaintenance {
  enabled: boolean;
  reason: string | null;
  message: string | null;
  allowedPaths: string[];
  by: number | null;
  since: Date;
}

/** What operators have switched, as this node last read it. */
export interface Stored {
  maintenance(): StoredMaintenance | null;
  /** Overrides of the route split by scope: `global` or a route group. */
  overrides(): ReadonlyMap<string, Target>;
  /** Reads again, and tells the other nodes to. */
  changed(what: "route_split" | "maintenance"): Promise<void>;
  /** Reads, and from then on follows what other nodes write. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

const channel = "oa_platform";
/** A lost notification heals by then (http-platform 4). */
const rereadMs = 15_000;

/** `onRead` runs after each reading. */
export function createStored(ctx: Context, onRead: () => void): Stored {
  let maintenance: StoredMaintenance | null = null;
  let overrides: ReadonlyMap<string, Target> = new Map();
  let timer: Timer | null = null;
  let stopListening: () => Promise<void> = () => Promise.resolve();
  let begun = 0;
  let applied = 0;

  const read = async () => {
    const mine = ++begun;
    const [[row], scopes] = await Promise.all([
      ctx.db.select().from(maintenanceState).limit(1),
      ctx.db.select().from(routeSplitOverrides),
    ]);
    if (mine < applied) return;
    applied = mine;
    maintenance = row
      ? {
          enabled: row.enabled,
          reason: row.reason,
          message: row.message,
          allowedPaths: row.allowedPaths,
          by: row.updatedBy,
          since: row.updatedAt,
        }
      : null;
    overrides = new Map(scopes.map(({ scope, target }) => [scope, target as Target]));
    onRead();
  };
  const readAgain = () =>
    read().catch((error: unknown) =>
      ctx.log.warn("oa.rollout", "what operators switched was not read", { error_message: String(error) }),
    );

  return {
    maintenance: () => maintenance,
    overrides: () => overrides,
    async changed(what) {
      await read();
      await ctx.store
        .notify(channel, what)
        .catch((error: unknown) =>
          ctx.log.warn("oa.rollout", "other nodes were not told", { error_message: String(error) }),
        );
    },
    async start() {
      await read();
      if (ctx.store.kind === "pglite") return;
      stopListening = await ctx.store.listen(
        channel,
        () => void readAgain(),
        (up) => up && void readAgain(),
      );
      timer = setInterval(() => void readAgain(), rereadMs);
      timer.unref();
    },
    async stop() {
      if (timer) clearInterval(timer);
      await stopListening();
    },
  };
}
