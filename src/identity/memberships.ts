import { and, asc, eq, inArray, sql } from "drizzle-orm";
import type { Database } from "../../db/database";
import { orgMemberships } from "../../db/schema/identity";

export interface Membership {
  orgId: string;
  orgSlug: string;
  role: "owner" | "admin" | "member" | "viewer";
  roleScopes: string[];
  defaultOrg: boolean;
}

const memberScopes = ["runtime.read", "sync.subscribe", "policy.evaluate", "org.membership.read"];
const ownerScopes = [
  "runtime.read",
  "runtime.write",
  "sync.subscribe",
  "policy.evaluate",
  "org.membership.read",
  "org.membership.write",
];

/** Id of the organisation that every user has for himself. */
export const personalOrg = (userId: number): string => `user:${userId}`;

/** Gives a user the memberships that come by themselves (auth.md 3.9); what is there already stays as it is. */
export async function ensureMemberships(db: Database, userId: number, email: string): Promise<void> {
  const own = { userId, orgId: personalOrg(userId), orgSlug: `user-${userId}`, role: "owner" as const };
  const rows = [{ ...own, roleScopes: ownerScopes, defaultOrg: true }];
  const [existing] = await db
    .select({ orgId: orgMemberships.orgId })
    .from(orgMemberships)
    .where(and(eq(orgMemberships.userId, userId), eq(orgMemberships.defaultOrg, true)))
    .limit(1);
  if (existing) rows[0] = { ...(rows[0] as (typeof rows)[0]), defaultOrg: false };
  await db.insert(orgMemberships).values(rows).onConflictDoNothing();
  if (!email.endsWith("@openagents.com")) return;
  await db
    .insert(orgMemberships)
    .values({
      userId,
      orgId: "org:openagents",
      orgSlug: "openagents",
      role: "member",
      roleScopes: memberScopes,
      defaultOrg: false,
    })
    .onConflictDoNothing();
}

/** Memberships by organisation id. Made on first use; if none is the default, the first becomes it. */
export async function membershipsOf(db: Database, userId: number, email: string): Promise<Membership[]> {
  let found = await readMemberships(db, userId);
  if (!found.length) {
    await ensureMemberships(db, userId, email);
    found = await readMemberships(db, userId);
  }
  const [first] = found;
  if (first && !found.some((membership) => membership.defaultOrg)) {
    await db
      .update(orgMemberships)
      .set({ defaultOrg: true })
      .where(and(eq(orgMemberships.userId, userId), eq(orgMemberships.orgId, first.orgId)));
    first.defaultOrg = true;
  }
  return found;
}

const readMemberships = (db: Database, userId: number): Promise<Membership[]> =>
  db
    .select({
      orgId: orgMemberships.orgId,
      orgSlug: orgMemberships.orgSlug,
      role: orgMemberships.role,
      roleScopes: orgMemberships.roleScopes,
      defaultOrg: orgMemberships.defaultOrg,
    })
    .from(orgMemberships)
    .where(eq(orgMemberships.userId, userId))
    .orderBy(asc(sql`${orgMemberships.orgId} collate "C"`));

export const defaultOrgOf = (memberships: Membership[], userId: number): string =>
  memberships.find((membership) => membership.defaultOrg)?.orgId ?? personalOrg(userId);

/** What a decision is about. */
export interface PolicyQuestion {
  userId: number;
  activeOrgId: string;
  orgId?: string | null;
  scopes: string[];
  topics: string[];
}

export interface PolicyDecision {
  allowed: boolean;
  orgId: string;
  granted: string[];
  denied: string[];
}

/** `org:{org}` of topics: the id itself when it starts so, else with that prefix (auth.md 3.7). */
export const topicOrg = (orgId: string): string => (orgId.startsWith("org:") ? orgId : `org:${orgId}`);

const distinct = (items: string[]): string[] => [...new Set(items.map((item) => item.trim()).filter(Boolean))];

/** Whether a run is the user's; the runtime domain knows. */
export type OwnsRun = (userId: number, runId: string) => Promise<boolean>;

/** The decision of auth.md 3.9. `ownsRun` is asked for `run:{id}…` topics. */
export async function decide(
  memberships: Membership[],
  question: PolicyQuestion,
  ownsRun: OwnsRun,
): Promise<PolicyDecision> {
  const { userId } = question;
  const orgId = question.orgId?.trim() || question.activeOrgId;
  const membership = memberships.find((candidate) => candidate.orgId === orgId);
  if (!membership) return { allowed: false, orgId, granted: [], denied: ["org_scope_denied"] };
  const all = membership.role === "owner" || membership.role === "admin" || membership.roleScopes.includes("*");
  const granted: string[] = [];
  const denied: string[] = [];
  for (const scope of distinct(question.scopes)) {
    if (all || membership.roleScopes.includes(scope)) granted.push(scope);
    else denied.push(`scope_denied:${scope}`);
  }
  const own = [`user:${userId}:`, `${orgId}:`, `${topicOrg(orgId)}:`];
  for (const topic of distinct(question.topics)) {
    const run = /^run:([^:]+)/.exec(topic)?.[1];
    const allowed =
      own.some((prefix) => topic.startsWith(prefix)) || (run !== undefined && (await ownsRun(userId, run)));
    if (!allowed) denied.push(`topic_denied:${topic}`);
  }
  return { allowed: denied.length === 0, orgId, granted, denied };
}

/** Whether each user is a member of the organisation now, in the places asked. One statement. */
export async function areMembers(db: Database, asked: { userId: number; orgId: string }[]): Promise<boolean[]> {
  if (!asked.length) return [];
  const rows = await db
    .select({ userId: orgMemberships.userId, orgId: orgMemberships.orgId })
    .from(orgMemberships)
    .where(inArray(orgMemberships.userId, [...new Set(asked.map(({ userId }) => userId))]));
  const held = new Set(rows.map(({ userId, orgId }) => `${userId}\n${orgId}`));
  return asked.map(({ userId, orgId }) => held.has(`${userId}\n${orgId}`));
}
