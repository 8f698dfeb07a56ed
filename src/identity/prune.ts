import { and, inArray, lt, or, type SQL, sql } from "drizzle-orm";
import type { PgColumn, PgTable } from "drizzle-orm/pg-core";
import {
  authChallenges,
  authLoginLinks,
  authRefreshTokens,
  authSessions,
  personalAccessTokens,
} from "../../db/schema/identity";
import type { Context } from "../context";
import { prunePairings } from "./pairing";
import { later, wholeSecond } from "./times";

const batch = 1000;
const budgetMs = 20_000;
const day = 86_400;

/** Declares the hourly clean-up of identity's tables (auth.md 4) and of pairing codes (remote-control.md 2). */
export function definePruning(ctx: Context): void {
  ctx.jobs.define<Record<string, never>>({
    kind: "auth.prune",
    tries: 3,
    backoffSeconds: 60,
    run: (_, { signal }) => pruneIdentity(ctx, signal),
  });
  ctx.jobs.define<Record<string, never>>({
    kind: "pairing.prune",
    tries: 3,
    backoffSeconds: 60,
    run: async (_, { signal }) => repeat(signal, () => prunePairings(ctx, ctx.db, batch)),
  });
  ctx.jobs.every("17 * * * *", "auth.prune");
  ctx.jobs.every("27 * * * *", "pairing.prune");
}

/** Deletes what is past its time: challenges, ended sessions and refresh rows, expired tokens and links. */
export async function pruneIdentity(ctx: Context, signal?: AbortSignal): Promise<void> {
  const now = wholeSecond(ctx.now());
  const ago = (days: number) => later(now, -days * day);
  const ended = or(
    lt(authSessions.revokedAt, ago(90)),
    and(inArray(authSessions.status, ["active", "expired"]), lt(authSessions.refreshExpiresAt, ago(90))),
  );
  const tasks: [PgTable, PgColumn, SQL | undefined][] = [
    [authChallenges, authChallenges.idHash, lt(authChallenges.expiresAt, ago(1))],
    [authSessions, authSessions.id, ended],
    [authRefreshTokens, authRefreshTokens.tokenHash, lt(authRefreshTokens.endedAt, ago(30))],
    [personalAccessTokens, personalAccessTokens.id, lt(personalAccessTokens.expiresAt, ago(1))],
    [authLoginLinks, authLoginLinks.tokenHash, lt(authLoginLinks.expiresAt, ago(1))],
  ];
  for (const [table, key, where] of tasks) {
    await repeat(signal, async () => {
      const dead = ctx.db.select({ key }).from(table).where(where).limit(batch);
      const gone = await ctx.db.delete(table).where(sql`${key} in ${dead}`).returning({ key });
      return gone.length;
    });
  }
}

/** Batches until one comes back short, the time is up, or the job is told to stop. */
async function repeat(signal: AbortSignal | undefined, once: () => Promise<number>): Promise<void> {
  const stopAt = Date.now() + budgetMs;
  while (!signal?.aborted && Date.now() < stopAt) {
    if ((await once()) < batch) return;
  }
}
