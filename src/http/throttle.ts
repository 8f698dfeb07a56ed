import { createHash } from "node:crypto";
import { sql } from "drizzle-orm";
import type { Store } from "../../db/database";
import { tooMany } from "../refusal";
import { networkOf } from "./address";
import type { Caller } from "./caller";
import type { Facts } from "./facts";
import type { Limit } from "./limits";
import { addHeaders, type RequestState } from "./state";

/** One window after a request asked for `by` hits. */
export interface Window {
  allowed: boolean;
  /** Hits left after this request. */
  remaining: number;
  endsAt: number;
}

/** Fixed windows (http-platform 3.3): shared by all nodes in Postgres, in memory on the embedded database. */
export interface Throttle {
  /** Counts `by` hits of `key`, or refuses and counts nothing. Times in epoch ms. */
  hit(limiter: string, key: string, limit: number, seconds: number, by?: number): Promise<Window>;
}

export function createThrottle(store: Store, now: () => number, onError: (error: unknown) => void): Throttle {
  return store.kind === "pglite" ? memoryThrottle(now) : postgresThrottle(store, now, onError);
}

function memoryThrottle(now: () => number): Throttle {
  const windows = new Map<string, { hits: number; endsAt: number }>();
  let sweptAt = 0;
  const sweep = (time: number) => {
    sweptAt = time;
    for (const [key, window] of windows) if (window.endsAt <= time) windows.delete(key);
  };
  return {
    hit(limiter, key, limit, seconds, by = 1) {
      const time = now();
      if (windows.size > 10_000 && time - sweptAt >= 1000) sweep(time);
      const id = `${limiter}\n${key}`;
      const old = windows.get(id);
      const window = old && old.endsAt > time ? old : { hits: 0, endsAt: time + seconds * 1000 };
      const allowed = window.hits + by <= limit;
      if (allowed) {
        window.hits += by;
        windows.set(id, window);
      }
      return Promise.resolve({ allowed, remaining: Math.max(0, limit - window.hits), endsAt: window.endsAt });
    },
  };
}

/** One statement: the row is only touched when the hits fit, so a refused request is not counted. */
function postgresThrottle(store: Store, now: () => number, onError: (error: unknown) => void): Throttle {
  return {
    async hit(limiter, key, limit, seconds, by = 1) {
      try {
        const [row] = await store.rows<{ hits: number; ends_at: number; allowed: boolean }>(sql`
          with taken as (
            insert into http_throttles as t (limiter, key, hits, window_ends_at)
            select ${limiter}, ${key}, ${by}::int, clock_timestamp() + make_interval(secs => ${seconds}::double precision)
            where ${by}::int <= ${limit}::int
            on conflict (limiter, key) do update set
              hits = case when t.window_ends_at <= clock_timestamp() then excluded.hits else t.hits + excluded.hits end,
              window_ends_at = case when t.window_ends_at <= clock_timestamp() then excluded.window_ends_at else t.window_ends_at end
            where t.window_ends_at <= clock_timestamp() or t.hits + excluded.hits <= ${limit}::int
            returning hits, window_ends_at)
          select hits, extract(epoch from window_ends_at)::double precision * 1000 as ends_at, true as allowed from taken
          union all
          select hits, extract(epoch from window_ends_at)::double precision * 1000, false from http_throttles
          where limiter = ${limiter} and key = ${key} and not exists (select 1 from taken)`);
        if (!row) return { allowed: by <= limit, remaining: limit, endsAt: now() + seconds * 1000 };
        return { allowed: row.allowed, remaining: Math.max(0, limit - row.hits), endsAt: Number(row.ends_at) };
      } catch (error) {
        onError(error);
        return { allowed: true, remaining: limit, endsAt: now() + seconds * 1000 };
      }
    },
  };
}

const sha1 = (text: string) => createHash("sha1").update(text).digest("hex");

/** The key that a limit counts a request under (http-platform 3.3). */
export function throttleKey(limit: Limit, caller: Caller | null, facts: Facts): string {
  const network = networkOf(facts.ip);
  switch (limit.by) {
    case "shared":
      return caller ? sha1(String(caller.user.id)) : sha1(`|${network}`);
    case "address":
      return network;
    case "user":
      return `user:${caller?.user.id}`;
    case "userOrAddress":
      return caller ? `user:${caller.user.id}` : network;
  }
}

/** Whole seconds to the end of a window, at least 1. */
export const secondsLeft = (endsAt: number, now: number): number => Math.max(1, Math.ceil((endsAt - now) / 1000));

/** Counts this request and puts the rate headers on its answer, or throws 429. */
export async function checkThrottle(throttle: Throttle, limit: Limit, state: RequestState, now: number): Promise<void> {
  state.limiter = limit.limiter;
  const key = throttleKey(limit, state.caller, state.facts);
  const window = await throttle.hit(limit.limiter, key, limit.limit, limit.seconds);
  addHeaders(state, {
    "x-ratelimit-limit": String(limit.limit),
    "x-ratelimit-remaining": String(window.allowed ? window.remaining : 0),
  });
  if (window.allowed) return;
  const wait = secondsLeft(window.endsAt, now);
  addHeaders(state, { "x-ratelimit-reset": String(Math.ceil(window.endsAt / 1000)) });
  throw tooMany(limit.attempts ? "Too Many Attempts." : `Too many requests. Retry in ${wait}s.`, wait);
}
