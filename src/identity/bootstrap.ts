import { eq } from "drizzle-orm";
import { users } from "../../db/schema/identity";
import type { Config } from "../config";
import type { Context, Unit } from "../context";
import { invalid } from "../refusal";
import { gravatar, sha256 } from "./credentials";
import { ensureMemberships } from "./memberships";
import { emailDomain, foldEmail, nameFromEmail } from "./names";
import type { Visit } from "./sessions";
import { wholeSecond } from "./times";
import { type MintedToken, mintToken } from "./tokens";
import { createUser, findUserByEmail, type Reconciled, type UserRow } from "./users";

/** `local` and `testing` open what would be a hole elsewhere (auth.md 2.3, 2.12). */
export const isTestGround = (env: string): boolean => env === "local" || env === "testing";

export interface Registration {
  email: string;
  name: string | null;
  tokenName: string | null;
  tokenAbilities: string[];
  /** Makes the autopilot that was asked for, in the same transaction; its answer goes out as it is. */
  autopilot: ((unit: Unit, user: UserRow) => Promise<unknown>) | null;
}

export interface Registered {
  user: UserRow;
  created: boolean;
  token: MintedToken;
  autopilot: unknown;
}

/** Whether `POST /api/auth/register` exists: on a test ground with sign-up on. */
export const signUpIsOpen = (config: Config): boolean =>
  isTestGround(config.APP_ENV) && config.OA_AUTH_API_SIGNUP_ENABLED;

/** Makes or finds a user and always a token for him (auth.md 2.3). */
export async function register(ctx: Context, wanted: Registration, visit: Visit): Promise<Registered> {
  const { config } = ctx;
  const email = foldEmail(wanted.email);
  const allowed = config.OA_AUTH_API_SIGNUP_ALLOWED_DOMAINS.map((domain) => domain.toLowerCase());
  if (allowed.length && !allowed.includes(emailDomain(email))) {
    throw invalid("email", "Email domain is not allowed for API signup in this environment.");
  }
  return ctx.commit(async (unit) => {
    const { user, created } = await registeredUser(ctx, unit, email, wanted.name);
    const abilities = wanted.tokenAbilities.length ? wanted.tokenAbilities : ["*"];
    const name = wanted.tokenName ?? config.OA_AUTH_API_SIGNUP_DEFAULT_TOKEN_NAME;
    const token = await mintToken(ctx, unit.db, { userId: user.id, name, abilities });
    const autopilot = wanted.autopilot ? await wanted.autopilot(unit, user) : null;
    unit.audit({
      event: "auth.register.completed",
      requestId: visit.requestId,
      userId: user.id,
      attributes: {
        created: String(created),
        token_name: name,
        autopilot_created: String(autopilot !== null),
        email_domain: emailDomain(email),
      },
    });
    return { user, created, token, autopilot };
  });
}

async function registeredUser(ctx: Context, { db }: Unit, email: string, name: string | null) {
  const now = wholeSecond(ctx.now());
  const workosId = `api_bootstrap_${sha256(email).slice(0, 32)}`;
  const found = await findUserByEmail(db, email);
  if (!found) {
    const wanted = {
      name: name ?? nameFromEmail(email),
      email,
      workosId,
      avatar: gravatar(email),
      verifiedAt: now,
      now,
    };
    const created = await createUser(db, wanted);
    if (created) return { user: created, created: true };
  }
  const user = found ?? (await findUserByEmail(db, email));
  if (!user)
    throw invalid("email", "Unable to complete sign-in because this account is already linked. Please try again.");
  await ensureMemberships(db, user.id, email);
  const nameless = !user.name.trim() || foldEmail(user.name) === email;
  const [row] = await db
    .update(users)
    .set({
      name: nameless ? (name ?? nameFromEmail(email)) : user.name,
      workosId: user.workosId || workosId,
      avatar: user.avatar || gravatar(email),
      updatedAt: now,
    })
    .where(eq(users.id, user.id))
    .returning();
  return { user: row ?? user, created: false };
}

/** The user of a signed test-login link (auth.md 2.12): made or overwritten each time. */
export async function testUser(ctx: Context, unit: Unit, email: string, name: string | null): Promise<Reconciled> {
  const now = wholeSecond(ctx.now());
  const values = {
    name: (name ?? nameFromEmail(email, "Maintenance Tester")).slice(0, 255),
    workosId: `test_local_${sha256(email).slice(0, 24)}`,
  };
  const found = await findUserByEmail(unit.db, email);
  if (!found) {
    const created = await createUser(unit.db, { ...values, email, avatar: gravatar(email), verifiedAt: now, now });
    if (created) return { user: created, created: true };
  }
  const user = found ?? (await findUserByEmail(unit.db, email));
  if (!user) throw invalid("email", "Invalid email.");
  const [row] = await unit.db
    .update(users)
    .set({
      ...values,
      avatar: user.avatar || gravatar(email),
      emailVerifiedAt: user.emailVerifiedAt ?? now,
      updatedAt: now,
    })
    .where(eq(users.id, user.id))
    .returning();
  return { user: row ?? user, created: false };
}
