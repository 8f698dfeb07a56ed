import { workerOwner } from "./codex";
import type { Context } from "./context";
import { areMembers } from "./identity/memberships";
import { standings, verifySyncToken } from "./identity/sync-verify";
import type { Access } from "./khala/access";

/** What Khala asks of the domains above it (khala 3.1, 3.9). Runs belong to a domain that is not here: nobody owns one. */
export const khalaAccess = (ctx: Context): Access => ({
  verify: (token) => verifySyncToken(ctx, token),
  standings: (ids) => standings(ctx, ids),
  members: (asked) => areMembers(ctx.db, asked),
  workers: (asked) =>
    Promise.all(
      asked.map(async ({ userId, workerId }) => {
        const owner = await workerOwner(ctx, userId, workerId);
        return owner?.userId === userId ? owner.pk : null;
      }),
    ),
  runs: (asked) => Promise.resolve(asked.map(() => false)),
});
