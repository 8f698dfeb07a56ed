import { eq, like, or, sql } from "drizzle-orm";
import type { Database } from "../../db/database";
import { users } from "../../db/schema/identity";
import type { Config } from "../config";
import type { Caller } from "../http/caller";
import { randomHex } from "./credentials";
import { ensureMemberships } from "./memberships";
import { foldEmail, handleBase, numbered } from "./names";

export type UserRow = typeof users.$inferSelect;

/** Who a provider says is signing in. */
export interface Identity {
  /** The provider's id of the person; null where the provider has none (local): a new row gets `local_…`. */
  providerId: string | null;
  email: string;
  /** First and last name joined, or blank. */
  name: string;
  picture: string;
}

export interface Reconciled {
  user: UserRow;
  created: boolean;
}

/** The baseline's row for everybody who is not signed in: here nobody can be it (auth.md 3.2). */
const nobody = "guest@openagents.internal";

export const localId = (): string => `local_${randomHex()}`;

/** Whether the e-mail is in the allowlist of administrators (auth.md 3.11). */
export const isListedAdmin = (config: Config, email: string): boolean =>
  config.ADMIN_EMAILS.some((listed) => foldEmail(listed) === foldEmail(email));

type Person = Omit<Caller["user"], "isAdmin"> & Pick<UserRow, "isAdmin">;

export const callerUser = (config: Config, row: Person): Caller["user"] => ({
  id: row.id,
  name: row.name,
  email: row.email,
  handle: row.handle,
  avatar: row.avatar,
  workosId: row.workosId,
  isAdmin: row.isAdmin || isListedAdmin(config, row.email),
  createdAt: row.createdAt,
  updatedAt: row.updatedAt,
});

export async function findUserByEmail(db: Database, email: string): Promise<UserRow | undefined> {
  const [row] = await db
    .select()
    .from(users)
    .where(eq(sql`lower(${users.email})`, foldEmail(email)));
  return row;
}

export async function findUser(db: Database, id: number): Promise<UserRow | undefined> {
  const [row] = await db.select().from(users).where(eq(users.id, id));
  return row;
}

export async function anyUser(db: Database): Promise<boolean> {
  const [row] = await db.select({ id: users.id }).from(users).limit(1);
  return row !== undefined;
}

/**
 * Finds or makes the row of a person who signs in (table of auth.md 3.2), inside the caller's transaction. Two first
 * sign-ins at once meet in the unique indexes: the later one reads the row of the earlier. `asAdmin` makes the row an
 * administrator's. Null when no row can be used.
 */
export async function reconcileUser(
  db: Database,
  identity: Identity,
  now: Date,
  asAdmin = false,
): Promise<Reconciled | null> {
  const email = foldEmail(identity.email);
  const name = identity.name.trim();
  if (email === nobody) return null;
  for (let round = 0; round < 3; round++) {
    const { byId, byEmail } = await candidates(db, identity.providerId, email);
    const row = byEmail ?? byId;
    if (row) {
      const updated = await refreshUser(
        db,
        row,
        { email, name, picture: identity.picture, now, asAdmin },
        newProviderId(identity, byId, byEmail),
      );
      if (updated) return { user: updated, created: false };
      continue;
    }
    const created = await createUser(db, {
      name: name || email,
      email,
      workosId: identity.providerId ?? localId(),
      avatar: identity.picture,
      isAdmin: asAdmin,
      verifiedAt: now,
      now,
    });
    if (created) return { user: created, created: true };
  }
  return null;
}

/** The row's own id stays when the provider's belongs to another row. */
const newProviderId = ({ providerId }: Identity, byId?: UserRow, byEmail?: UserRow): string | null =>
  byId && byEmail && byId.id !== byEmail.id ? null : providerId;

async function candidates(db: Database, providerId: string | null, email: string) {
  const rows = await db
    .select()
    .from(users)
    .where(or(eq(sql`lower(${users.email})`, email), providerId === null ? undefined : eq(users.workosId, providerId)));
  return {
    byId: providerId === null ? undefined : rows.find((row) => row.workosId === providerId),
    byEmail: rows.find((row) => row.email.toLowerCase() === email),
  };
}

/** Null when a unique index refuses the change: somebody else has just taken the e-mail or the provider's id. */
async function refreshUser(
  db: Database,
  row: UserRow,
  seen: { email: string; name: string; picture: string; now: Date; asAdmin: boolean },
  providerId: string | null,
): Promise<UserRow | null> {
  const values = {
    email: seen.email,
    workosId: providerId ?? row.workosId,
    name: row.nameEditedAt === null && seen.name ? seen.name.slice(0, 255) : row.name,
    avatar: seen.picture || row.avatar,
    isAdmin: row.isAdmin || seen.asAdmin,
    emailVerifiedAt: row.emailVerifiedAt ?? seen.now,
    updatedAt: seen.now,
  };
  try {
    const [updated] = await db.transaction((point) =>
      point.update(users).set(values).where(eq(users.id, row.id)).returning(),
    );
    return updated ?? null;
  } catch (error) {
    if (isUniqueViolation(error)) return null;
    throw error;
  }
}

/** Whether an error is a unique index saying no (SQLSTATE 23505), on either engine, wrapped or not. */
export function isUniqueViolation(error: unknown): boolean {
  for (let at = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    if ((at as { code?: unknown }).code === "23505") return true;
  }
  return false;
}

export interface NewUser {
  name: string;
  email: string;
  workosId: string;
  avatar: string;
  isAdmin?: boolean;
  verifiedAt: Date | null;
  now: Date;
}

/** Inserts a user with the first free handle of his e-mail; null when e-mail or provider id are taken. */
export async function createUser(db: Database, wanted: NewUser): Promise<UserRow | null> {
  if (wanted.email === nobody) return null;
  const base = handleBase(wanted.email);
  const taken = await takenHandles(db, base);
  for (let n = 0; ; n++) {
    const handle = numbered(base, n);
    if (taken.has(handle)) continue;
    const [row] = await db
      .insert(users)
      .values({
        name: wanted.name.slice(0, 255),
        email: wanted.email,
        handle,
        workosId: wanted.workosId,
        avatar: wanted.avatar,
        isAdmin: wanted.isAdmin ?? false,
        emailVerifiedAt: wanted.verifiedAt,
        createdAt: wanted.now,
        updatedAt: wanted.now,
      })
      .onConflictDoNothing()
      .returning();
    if (row) {
      await ensureMemberships(db, row.id, row.email);
      return row;
    }
    const { byId, byEmail } = await candidates(db, wanted.workosId, wanted.email);
    if (byId || byEmail) return null;
    taken.add(handle);
  }
}

async function takenHandles(db: Database, base: string): Promise<Set<string>> {
  const cut = base.slice(0, 56).replaceAll("_", "\\_");
  const rows = await db
    .select({ handle: users.handle })
    .from(users)
    .where(or(eq(users.handle, base), like(users.handle, `${cut}%`)));
  return new Set(rows.flatMap(({ handle }) => (handle === null ? [] : [handle])));
}
