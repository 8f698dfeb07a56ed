import { eq } from "drizzle-orm";
import { authSessions } from "../../db/schema/identity";
import type { Context } from "../context";
import type { Caller } from "../http/caller";
import { forbidden } from "../refusal";
import type { MembershipView } from "./contract";
import { type Membership, membershipsOf } from "./memberships";
import { type Visit, whoOf } from "./sessions";

export const membershipView = (membership: Membership): MembershipView => ({
  org_id: membership.orgId,
  org_slug: membership.orgSlug,
  role: membership.role,
  role_scopes: membership.roleScopes,
  default_org: membership.defaultOrg,
});

/** Makes another organisation the active one of the caller's session (auth.md 2.11). Returns his memberships. */
export async function chooseOrganisation(
  ctx: Context,
  caller: Caller,
  orgId: string,
  visit: Visit,
): Promise<Membership[]> {
  return ctx.commit(async ({ db, audit }) => {
    const memberships = await membershipsOf(db, caller.user.id, caller.user.email);
    if (!memberships.some((membership) => membership.orgId === orgId)) {
      throw forbidden("Requested organization is not available for this user.");
    }
    await db.update(authSessions).set({ activeOrgId: orgId }).where(eq(authSessions.id, caller.sessionId));
    audit({ event: "auth.active_org.updated", requestId: visit.requestId, ...whoOf(caller), orgId });
    return memberships;
  });
}
