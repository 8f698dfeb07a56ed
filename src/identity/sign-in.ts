import { and, eq, gt, lt, sql } from "drizzle-orm";
import { authChallenges } from "../../db/schema/identity";
import type { Context, Unit } from "../context";
import { sameText } from "../http/same-text";
import { randomLetters } from "../letters";
import { invalid } from "../refusal";
import { emailIsWelcome, takeInvite } from "./admission";
import { appSecret } from "./app-secrets";
import { challengeId, hmac256, sha256, uuid5Dns } from "./credentials";
import { codeMail, mailPayload } from "./mail";
import { defaultOrgOf, ensureMemberships, membershipsOf } from "./memberships";
import { emailDomain, foldEmail } from "./names";
import {
  mailIsConfigured,
  mailMissing,
  type Provider,
  providerOf,
  workosIsConfigured,
  workosMissing,
} from "./providers";
import { type Lane, type OpenedSession, openSession, type Visit } from "./sessions";
import { later, sixDigits, wholeSecond } from "./times";
import { type Identity, reconcileUser, type UserRow } from "./users";
import { checkWorkosCode, codeFailed, ProviderDown, sendWorkosCode } from "./workos";

/** Which door a sign-in came through: it names the audit events (auth.md 2.12). */
export type Door = "api" | "web";

type ChallengeRow = typeof authChallenges.$inferSelect;

const wrongCodes = 10;
const codeKey = "local_code_key";

/** What makes a code: who will check it, until when, and for the local provider the code to mail. */
interface Prepared {
  providerUserId: string;
  expiresAt: Date;
  local: { code: string; welcome: boolean } | null;
}

/** Sends a sign-in code (auth.md 2.1). `email` is trimmed, in the case as typed. Returns the challenge's id. */
export async function requestCode(ctx: Context, email: string, door: Door, visit: Visit): Promise<string> {
  const provider = providerOf(ctx.config);
  const now = wholeSecond(ctx.now());
  const prepared = await prepareCode(ctx, provider, email, visit);
  const id = challengeId();
  const { local } = prepared;
  const codeHmac =
    local && (await codeMac(ctx, id, local.welcome ? local.code : randomLetters(32, "0123456789abcdef")));
  await ctx.commit(async (unit) => {
    await unit.db.insert(authChallenges).values({
      idHash: sha256(id),
      email: foldEmail(email),
      providerUserId: prepared.providerUserId,
      codeHmac,
      expiresAt: prepared.expiresAt,
      createdAt: now,
    });
    if (local) {
      const minutes = Math.round(ctx.config.OA_AUTH_CHALLENGE_TTL_SECONDS / 60);
      unit.enqueue(...mailPayload(ctx, codeMail(ctx.config.APP_NAME, email, local.code, minutes), local.welcome));
    }
    unit.audit({
      event: door === "api" ? "auth.challenge.requested" : "auth.web.challenge.requested",
      requestId: visit.requestId,
      attributes: { provider, email_domain: emailDomain(email) },
    });
    unit.after(() =>
      ctx.analytics.capture(email, "login code sent", {
        method: "magic_auth",
        ...(door === "api" ? { source: "chat_onboarding" } : {}),
      }),
    );
  });
  return id;
}

async function prepareCode(ctx: Context, provider: Provider, email: string, visit: Visit): Promise<Prepared> {
  const { config } = ctx;
  const now = wholeSecond(ctx.now());
  const usual = later(now, config.OA_AUTH_CHALLENGE_TTL_SECONDS);
  if (provider === "workos") {
    if (!workosIsConfigured(config)) throw workosMissing();
    const { providerUserId, expiresAt } = await sendWorkosCode(ctx, email, visit);
    return { providerUserId, expiresAt: expiresAt ? wholeSecond(expiresAt) : usual, local: null };
  }
  if (provider === "mock") {
    return { providerUserId: mockId(email), expiresAt: later(now, 600), local: null };
  }
  if (!mailIsConfigured(config)) throw mailMissing();
  const welcome = await emailIsWelcome(ctx, email);
  return { providerUserId: "local", expiresAt: usual, local: { code: randomLetters(6, "0123456789"), welcome } };
}

/** The mock provider's id of an address (auth.md 3.1). */
export const mockId = (email: string): string => `mock_workos_${uuid5Dns(foldEmail(email))}`;

const codeMac = async (ctx: Context, id: string, code: string): Promise<string> =>
  hmac256(await appSecret(ctx, codeKey), `${id}:${code}`);

export interface Verification {
  code: string;
  challengeId: string | null;
  deviceId: string;
  tokenName: string;
  client: string | null;
  lane: Lane;
}

export interface SignedIn extends OpenedSession {
  user: UserRow;
  newUser: boolean;
}

const expired = () => invalid("code", "Your sign-in code expired. Request a new code.");

/** Verifications of one challenge follow one another in this process, so that the later of two equal ones finds it used. */
const checking = new Map<string, Promise<unknown>>();

async function inTurn<T>(key: string, work: () => Promise<T>): Promise<T> {
  const before = checking.get(key) ?? Promise.resolve();
  const mine = before.then(work, work);
  const settled = mine.catch(() => undefined);
  checking.set(key, settled);
  try {
    return await mine;
  } finally {
    if (checking.get(key) === settled) checking.delete(key);
  }
}

/** Completes a sign-in with the code that was mailed (auth.md 2.2). Throws 422 on `code`. */
export async function verifyCode(ctx: Context, wanted: Verification, door: Door, visit: Visit): Promise<SignedIn> {
  const provider = providerOf(ctx.config);
  const id = wanted.challengeId;
  if (!id) throw expired();
  return inTurn(sha256(id), async () => {
    const challenge = await takeTry(ctx, id);
    const identity = await identify(ctx, provider, challenge, id, wanted.code, visit);
    return ctx.commit(async (unit) => {
      const [used] = await unit.db
        .delete(authChallenges)
        .where(eq(authChallenges.idHash, challenge.idHash))
        .returning({ idHash: authChallenges.idHash });
      if (!used) throw expired();
      return admit(ctx, unit, identity, { ...wanted, door, provider, visit });
    });
  });
}

/** Counts a try before it is made, so that ten is the limit however many come at once (auth.md 3.1). */
async function takeTry(ctx: Context, id: string): Promise<ChallengeRow> {
  const [challenge] = await ctx.db
    .update(authChallenges)
    .set({ failures: sql`${authChallenges.failures} + 1` })
    .where(
      and(
        eq(authChallenges.idHash, sha256(id)),
        gt(authChallenges.expiresAt, ctx.now()),
        lt(authChallenges.failures, wrongCodes),
      ),
    )
    .returning();
  if (!challenge) throw expired();
  return challenge;
}

async function identify(
  ctx: Context,
  provider: Provider,
  challenge: ChallengeRow,
  id: string,
  code: string,
  visit: Visit,
): Promise<Identity> {
  const { email, providerUserId, codeHmac } = challenge;
  if (provider === "mock") {
    if (!sameText(code, ctx.config.OA_AUTH_MOCK_MAGIC_CODE)) throw codeFailed();
    return { providerId: providerUserId, email, name: `${email.split("@")[0]} Mock`, picture: "" };
  }
  if (provider === "local") {
    if (!codeHmac || !sameText(codeHmac, await codeMac(ctx, id, code))) throw codeFailed();
    return { providerId: null, email, name: "", picture: "" };
  }
  if (!workosIsConfigured(ctx.config)) throw workosMissing();
  try {
    return await checkWorkosCode(ctx, challenge, code, visit);
  } catch (error) {
    if (!(error instanceof ProviderDown)) {
      // Of two equal calls on two nodes the provider refuses the later one, because its code is used.
      const [still] = await ctx.db
        .select({ idHash: authChallenges.idHash })
        .from(authChallenges)
        .where(eq(authChallenges.idHash, challenge.idHash));
      throw still ? error : expired();
    }
    await ctx.db
      .update(authChallenges)
      .set({ failures: sql`greatest(${authChallenges.failures} - 1, 0)` })
      .where(eq(authChallenges.idHash, challenge.idHash));
    throw codeFailed();
  }
}

interface Admission {
  deviceId: string;
  tokenName: string;
  client: string | null;
  lane: Lane;
  door: Door;
  provider: Provider;
  visit: Visit;
}

const linked = () =>
  invalid("code", "Unable to complete sign-in because this account is already linked. Please try again.");

/** User row, session, audit and analytics of one who has proved who he is, inside the caller's transaction. */
async function admit(ctx: Context, unit: Unit, identity: Identity, how: Admission): Promise<SignedIn> {
  const invite = how.provider === "local" ? await takeInvite(unit.db, identity.email, ctx.now()) : null;
  const named = invite?.name && !identity.name ? { ...identity, name: invite.name } : identity;
  const reconciled = await reconcileUser(unit.db, named, wholeSecond(ctx.now()), invite?.isAdmin);
  if (!reconciled) throw linked();
  return openFor(ctx, unit, reconciled.user, reconciled.created, how);
}

/** Opens the session of a user who is known to be himself, with what follows a sign-in. */
export async function openFor(
  ctx: Context,
  unit: Unit,
  user: UserRow,
  newUser: boolean,
  how: Admission,
): Promise<SignedIn> {
  if (!newUser) await ensureMemberships(unit.db, user.id, user.email);
  const memberships = await membershipsOf(unit.db, user.id, user.email);
  const opened = await openSession(ctx, unit, {
    userId: user.id,
    activeOrgId: defaultOrgOf(memberships, user.id),
    deviceId: how.deviceId,
    tokenName: how.tokenName,
    client: how.client,
    lane: how.lane,
    visit: how.visit,
  });
  const { session } = opened;
  unit.audit({
    event: how.door === "api" ? "auth.verify.completed" : "auth.web.verify.completed",
    requestId: how.visit.requestId,
    userId: user.id,
    sessionId: session.id,
    orgId: session.activeOrgId,
    deviceId: session.deviceId,
    attributes: { provider: how.provider, new_user: String(newUser) },
  });
  unit.after(() => {
    const { email, name, handle, createdAt } = user;
    ctx.analytics.identify(email, { email, name, handle, date_joined: createdAt && sixDigits(createdAt) });
    if (newUser) ctx.analytics.capture(email, "user signed up", { signup_method: "magic_auth" });
    else ctx.analytics.capture(email, "user logged in", { login_method: "magic_auth" });
  });
  return { ...opened, user, newUser };
}
