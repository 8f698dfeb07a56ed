import { and, eq, gt, isNull, sql } from "drizzle-orm";
import type { Database } from "../../db/database";
import { authLoginLinks, users } from "../../db/schema/identity";
import type { Context } from "../context";
import { foldEmail } from "./names";

const aboutEmail = (email: string, now: Date) =>
  and(
    eq(sql`lower(${authLoginLinks.email})`, foldEmail(email)),
    isNull(authLoginLinks.userId),
    gt(authLoginLinks.expiresAt, now),
  );

/** Whether the local provider mails a code to this address: a known user, an invited one, or an open domain (auth.md 3.16). */
export async function emailIsWelcome(ctx: Context, email: string): Promise<boolean> {
  const folded = foldEmail(email);
  const [found] = await ctx.db
    .select({ one: sql<number>`1` })
    .from(users)
    .where(eq(sql`lower(${users.email})`, folded))
    .unionAll(ctx.db.select({ one: sql<number>`1` }).from(authLoginLinks).where(aboutEmail(email, ctx.now())))
    .limit(1);
  if (found) return true;
  const domain = folded.split("@").at(-1) ?? "";
  return ctx.config.OA_AUTH_LOCAL_SIGNUP_DOMAINS.some((open) => open === "*" || open.toLowerCase() === domain);
}

export interface Invite {
  name: string | null;
  isAdmin: boolean;
}

/** Uses up the invitations of an address when somebody signs in with it; null without any. */
export async function takeInvite(db: Database, email: string, now: Date): Promise<Invite | null> {
  const rows = await db.delete(authLoginLinks).where(aboutEmail(email, now)).returning();
  if (!rows.length) return null;
  return { name: rows.find((row) => row.name)?.name ?? null, isAdmin: rows.some((row) => row.isAdmin) };
}
