import { sql } from "drizzle-orm";
import {
  bigint,
  boolean,
  char,
  check,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uniqueIndex,
  varchar,
} from "drizzle-orm/pg-core";

/** Whole seconds (auth.md 4). Round down before writing: Postgres rounds to nearest. */
const at = () => timestamp({ withTimezone: true, precision: 0 });
const id = () => bigint({ mode: "number" });
const owner = () => id().references(() => users.id, { onDelete: "cascade" });

export const users = pgTable(
  "users",
  {
    id: id().primaryKey().generatedByDefaultAsIdentity(),
    name: varchar({ length: 255 }).notNull(),
    email: varchar({ length: 255 }).notNull(),
    handle: varchar({ length: 64 }),
    emailVerifiedAt: at(),
    workosId: varchar({ length: 255 }).notNull(),
    rememberToken: varchar({ length: 100 }),
    avatar: text().notNull().default(""),
    isAdmin: boolean().notNull().default(false),
    nameEditedAt: at(),
    createdAt: at(),
    updatedAt: at(),
  },
  (t) => [
    uniqueIndex("users_email_unique").on(t.email),
    uniqueIndex("users_workos_id_unique").on(t.workosId),
    uniqueIndex("users_handle_unique").on(t.handle),
    uniqueIndex("users_email_lower").on(sql`lower(${t.email})`),
  ],
);

/** `tokenable_id` has no foreign key, as in the tables these rows are imported from: the user's deletion removes them. */
export const personalAccessTokens = pgTable(
  "personal_access_tokens",
  {
    id: id().primaryKey().generatedByDefaultAsIdentity(),
    tokenableType: varchar({ length: 255 }).notNull().default("App\\Models\\User"),
    tokenableId: id().notNull(),
    name: text().notNull(),
    token: varchar({ length: 64 }).notNull(),
    abilities: text(),
    workerId: varchar({ length: 160 }),
    lastUsedAt: at(),
    expiresAt: at(),
    createdAt: at(),
    updatedAt: at(),
  },
  (t) => [
    uniqueIndex("personal_access_tokens_token_unique").on(t.token),
    index("personal_access_tokens_tokenable").on(t.tokenableType, t.tokenableId),
    index("personal_access_tokens_expires_at").on(t.expiresAt),
  ],
);

export const authChallenges = pgTable(
  "auth_challenges",
  {
    idHash: char({ length: 64 }).primaryKey(),
    email: varchar({ length: 255 }).notNull(),
    providerUserId: text().notNull(),
    /** HMAC of the code the local provider mailed; null where the provider keeps the code, or none was mailed. */
    codeHmac: char({ length: 64 }),
    failures: integer().notNull().default(0),
    expiresAt: at().notNull(),
    createdAt: at().notNull(),
  },
  (t) => [index("auth_challenges_expires_at").on(t.expiresAt), index("auth_challenges_email").on(t.email)],
);

export const authSessions = pgTable(
  "auth_sessions",
  {
    id: text().primaryKey(),
    userId: owner().notNull(),
    deviceId: varchar({ length: 160 }).notNull(),
    tokenName: varchar({ length: 64 }).notNull(),
    client: varchar({ length: 64 }),
    activeOrgId: text().notNull(),
    accessTokenHash: char({ length: 64 }).notNull(),
    accessExpiresAt: at().notNull(),
    refreshTokenId: text().notNull(),
    refreshExpiresAt: at().notNull(),
    status: text().$type<"active" | "reauth_required" | "expired" | "revoked">().notNull(),
    reauthRequired: boolean().notNull().default(false),
    issuedAt: at().notNull(),
    lastRefreshedAt: at(),
    lastUsedAt: at(),
    revokedAt: at(),
    revokedReason: text(),
    ipAddress: varchar({ length: 45 }),
    userAgent: text(),
  },
  (t) => [
    uniqueIndex("auth_sessions_access_token_hash").on(t.accessTokenHash),
    uniqueIndex("auth_sessions_active_device").on(t.userId, t.deviceId).where(sql`${t.status} = 'active'`),
    index("auth_sessions_user_newest").on(t.userId, t.issuedAt.desc()),
    check("auth_sessions_status", sql`${t.status} in ('active', 'reauth_required', 'expired', 'revoked')`),
  ],
);

export const authRefreshTokens = pgTable(
  "auth_refresh_tokens",
  {
    tokenHash: char({ length: 64 }).primaryKey(),
    id: text().notNull(),
    sessionId: text()
      .notNull()
      .references(() => authSessions.id, { onDelete: "cascade" }),
    state: text().$type<"active" | "rotated" | "session_revoked" | "replay_detected">().notNull(),
    /** Who ended it by rotation: only the cookie lane forgives a second use (auth.md 3.5). */
    lane: text().$type<"bearer" | "cookie">().notNull(),
    createdAt: at().notNull(),
    endedAt: at(),
    replacedBy: text(),
  },
  (t) => [
    uniqueIndex("auth_refresh_tokens_id").on(t.id),
    index("auth_refresh_tokens_session").on(t.sessionId),
    index("auth_refresh_tokens_ended_at").on(t.endedAt),
    check("auth_refresh_tokens_state", sql`${t.state} in ('active', 'rotated', 'session_revoked', 'replay_detected')`),
    check("auth_refresh_tokens_lane", sql`${t.lane} in ('bearer', 'cookie')`),
  ],
);

export const orgMemberships = pgTable(
  "org_memberships",
  {
    userId: owner().notNull(),
    orgId: text().notNull(),
    orgSlug: text().notNull(),
    role: text().$type<"owner" | "admin" | "member" | "viewer">().notNull(),
    roleScopes: jsonb().$type<string[]>().notNull(),
    defaultOrg: boolean().notNull(),
  },
  (t) => [primaryKey({ name: "org_memberships_pk", columns: [t.userId, t.orgId] })],
);

/** Keys the server made for itself; `value` is sealed with the app key (ops-data 3.5). */
export const appSecrets = pgTable("app_secrets", {
  name: text().primaryKey(),
  value: text().notNull(),
  createdAt: at().notNull(),
});

/** Single-use sign-in links (auth.md 3.16). Without user and e-mail it is the owner link; with an e-mail, an invite. */
export const authLoginLinks = pgTable(
  "auth_login_links",
  {
    tokenHash: char({ length: 64 }).primaryKey(),
    userId: owner(),
    email: varchar({ length: 255 }),
    name: varchar({ length: 255 }),
    isAdmin: boolean().notNull().default(false),
    expiresAt: at().notNull(),
    createdAt: at().notNull(),
  },
  (t) => [index("auth_login_links_email").on(t.email), index("auth_login_links_expires_at").on(t.expiresAt)],
);

/** What a machine said of itself when it asked to be paired (remote-control.md 2). */
export interface PairingRequest {
  name: string;
  hostname: string;
  platform: string;
  codexVersion: string;
  bridgeVersion: string;
  workerId: string | null;
  ipAddress: string;
}

export const pairingCodes = pgTable(
  "pairing_codes",
  {
    deviceCodeHash: char({ length: 64 }).primaryKey(),
    userCodeHash: char({ length: 64 }).notNull(),
    request: jsonb().$type<PairingRequest>().notNull(),
    status: text().$type<"pending" | "approved" | "denied" | "used">().notNull(),
    userId: owner(),
    /** Id of the token that was handed out. */
    tokenId: id(),
    /** Worker id and name as approved. */
    workerId: varchar({ length: 160 }),
    name: varchar({ length: 80 }),
    intervalS: integer().notNull(),
    lastPolledAt: timestamp({ withTimezone: true, precision: 3 }),
    expiresAt: at().notNull(),
    createdAt: at().notNull(),
  },
  (t) => [
    uniqueIndex("pairing_codes_user_code").on(t.userCodeHash),
    index("pairing_codes_expires_at").on(t.expiresAt),
    index("pairing_codes_user").on(t.userId),
    check("pairing_codes_status", sql`${t.status} in ('pending', 'approved', 'denied', 'used')`),
  ],
);
