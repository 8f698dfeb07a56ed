import { eq } from "drizzle-orm";
import { authChallenges, authSessions, orgMemberships, personalAccessTokens, users } from "../../db/schema/identity";
import type { Context } from "../context";
import type { Caller } from "../http/caller";
import { sameText } from "../http/same-text";
import { invalid, unauthorized } from "../refusal";
import { foldEmail } from "./names";
import { announceRevocation } from "./revocations";
import { type Visit, whoOf } from "./sessions";
import { wholeSecond } from "./times";
import type { UserRow } from "./users";
import { deleteWorkosUser } from "./workos";

export type ProfileSource = "api" | "web";

/** Notes that the profile was read (auth.md 2.10). */
export const noteProfileRead = (ctx: Context, caller: Caller, visit: Visit): Promise<void> =>
  ctx.commit(async ({ audit }) => audit({ event: "profile.read", requestId: visit.requestId, ...whoOf(caller) }));

/** Sets the user's own name, which survives the next sign-in (auth.md 3.2). */
export const renameUser = (
  ctx: Context,
  caller: Caller,
  name: string,
  source: ProfileSource,
  visit: Visit,
): Promise<UserRow> =>
  ctx.commit(async ({ db, audit, after }) => {
    const now = wholeSecond(ctx.now());
    const [row] = await db
      .update(users)
      .set({ name, nameEditedAt: now, updatedAt: now })
      .where(eq(users.id, caller.user.id))
      .returning();
    if (!row) throw unauthorized();
    audit({
      event: "profile.updated",
      requestId: visit.requestId,
      ...whoOf(caller),
      attributes: { field_updated: "name", source },
    });
    after(() =>
      ctx.analytics.capture(row.email, "profile updated", {
        field_updated: "name",
        ...(source === "api" ? { source } : {}),
      }),
    );
    return row;
  });

const workosDeletion = "workos.user.delete";

/** Throws 422 unless `email` confirms whose account is to go. */
export function confirmDeletion(caller: Caller, email: string): void {
  if (sameText(foldEmail(email), foldEmail(caller.user.email))) return;
  throw invalid("email", "Email confirmation does not match the authenticated user.");
}

/**
 * Deletes a user with everything that hangs on him (auth.md 3.2) and queues the end of his sockets; WorkOS is told by a job.
 * `who` names the caller in the audit row.
 */
export const deleteUser = (
  ctx: Context,
  user: { id: number; email: string; workosId: string },
  how: { source: ProfileSource | "ops"; visit: Pick<Visit, "requestId">; who?: ReturnType<typeof whoOf> },
): Promise<void> => {
  if (how.source !== "ops") {
    ctx.analytics.capture(user.email, "account deleted", how.source === "api" ? { source: "api" } : undefined);
  }
  return ctx.commit(async (unit) => {
    const { db } = unit;
    const { requestId } = how.visit;
    await db.delete(personalAccessTokens).where(eq(personalAccessTokens.tokenableId, user.id));
    const sessions = await db
      .delete(authSessions)
      .where(eq(authSessions.userId, user.id))
      .returning({ deviceId: authSessions.deviceId });
    await db.delete(authChallenges).where(eq(authChallenges.email, foldEmail(user.email)));
    await db.delete(orgMemberships).where(eq(orgMemberships.userId, user.id));
    await db.delete(users).where(eq(users.id, user.id));
    const devices = sessions.map((row) => row.deviceId);
    announceRevocation(unit, { userId: user.id, ids: null, reason: "user_requested", devices, requestId });
    unit.audit({
      event: "profile.deleted",
      requestId,
      ...(how.who ?? { userId: user.id }),
      attributes: { source: how.source },
    });
    unit.enqueue("khala.forget", { user_id: user.id }, { key: String(user.id) });
    if (user.workosId.startsWith("user_"))
      unit.enqueue(workosDeletion, { workosId: user.workosId }, { key: user.workosId });
  });
};

/** Declares the job that deletes a person at WorkOS. */
export const defineWorkosDeletion = (ctx: Context): void =>
  ctx.jobs.define<{ workosId: string }>({
    kind: workosDeletion,
    tries: 5,
    backoffSeconds: 30,
    double: true,
    run: async ({ workosId }) => {
      // Who has come back meanwhile is wanted there.
      const [back] = await ctx.db.select({ id: users.id }).from(users).where(eq(users.workosId, workosId));
      if (!back) await deleteWorkosUser(ctx, workosId);
    },
  });
