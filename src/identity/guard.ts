import { eq, sql } from "drizzle-orm";
import { authSessions, orgMemberships, personalAccessTokens, users } from "../../db/schema/identity";
import type { Context } from "../context";
import type { Caller } from "../http/caller";
import { clearCookie } from "../http/cookies";
import type { Facts } from "../http/facts";
import type { Guards } from "../http/guards";
import { Refusal, type RefusalKind, unauthorized } from "../refusal";
import { setSessionCookies } from "./cookies";
import { readPat, sameText, sha256 } from "./credentials";
import { personalOrg } from "./memberships";
import { providerOf } from "./providers";
import { refreshSession } from "./refresh";
import type { SessionRow } from "./sessions";
import { wholeSecond } from "./times";
import { abilitiesOf } from "./tokens";
import { callerUser, findUser, type UserRow } from "./users";

/** `last_used_at` is written when it is older than this. */
const useStepMs = 60_000;

/** Who a request comes from, by header or cookie (auth.md 2.0): one prepared statement for each kind of credential. */
export function createGuards(ctx: Context): Guards {
  const lookUp = preparedLookUps(ctx);
  return {
    async caller(request, facts) {
      const bearer = bearerOf(request.headers.get("authorization"));
      if (bearer !== null) return gated(ctx, await byBearer(ctx, lookUp, bearer));
      const cookie = facts.cookies.oa_access_token;
      if (isDocument(request)) return documentCaller(ctx, lookUp, request, facts);
      if (!cookie) return null;
      return gated(ctx, await bySession(ctx, lookUp, cookie, "cookie"));
    },
    refused: (event, refusal, facts) => noteRefusal(ctx, event, refusal, facts),
  };
}

const reasons: Partial<Record<RefusalKind, string>> = {
  invalid: "invalid_request",
  unauthorized: "unauthorized",
  forbidden: "forbidden",
  conflict: "conflict",
  unavailable: "service_unavailable",
};

/** The audit row of a refused sign-in, refresh or sign-out (auth.md 3.14), on its own: nothing else was written. */
export async function noteRefusal(ctx: Context, event: string, refusal: Refusal, facts: Facts): Promise<void> {
  const reason = reasons[refusal.kind];
  if (!reason) return;
  const [field] = Object.keys(refusal.detail.errors ?? {});
  const attributes = { reason, ...(field ? { field } : {}) };
  const record = { event, requestId: facts.requestId, outcome: "failure", attributes } as const;
  await ctx
    .commit(async ({ audit }) => audit(record))
    .catch((error: unknown) =>
      ctx.log.error("oa.auth", "a refusal was not audited", { event, error_message: String(error) }),
    );
}

/** The value of a Bearer header, or null when the header is absent or of another scheme. */
function bearerOf(header: string | null): string | null {
  if (header === null) return null;
  const match = /^bearer(?:\s+(.*))?$/i.exec(header.trim());
  return match ? (match[1] ?? "").trim() : null;
}

function byBearer(ctx: Context, lookUp: LookUps, bearer: string): Promise<Caller> {
  if (!bearer.includes("|") && bearer.startsWith("oa_at_")) return bySession(ctx, lookUp, bearer, "bearer");
  return byPat(ctx, lookUp, bearer);
}

type LookUps = ReturnType<typeof preparedLookUps>;

function preparedLookUps({ db }: Context) {
  const token = {
    user: users,
    token: personalAccessTokens,
    orgId: orgMemberships.orgId,
  };
  const joined = () =>
    db
      .select(token)
      .from(personalAccessTokens)
      .innerJoin(users, eq(users.id, personalAccessTokens.tokenableId))
      .leftJoin(orgMemberships, sql`${orgMemberships.userId} = ${users.id} and ${orgMemberships.defaultOrg}`);
  return {
    patById: joined()
      .where(eq(personalAccessTokens.id, sql.placeholder("id")))
      .limit(1)
      .prepare("identity_pat_by_id"),
    patByHash: joined()
      .where(eq(personalAccessTokens.token, sql.placeholder("hash")))
      .limit(1)
      .prepare("identity_pat_by_hash"),
    session: db
      .select({ user: users, session: authSessions })
      .from(authSessions)
      .innerJoin(users, eq(users.id, authSessions.userId))
      .where(eq(authSessions.accessTokenHash, sql.placeholder("hash")))
      .limit(1)
      .prepare("identity_session"),
  };
}

async function byPat(ctx: Context, lookUp: LookUps, bearer: string): Promise<Caller> {
  const named = readPat(bearer);
  if (!named || bearer === "") throw unauthorized();
  const [found] = await (named.id === null
    ? lookUp.patByHash.execute({ hash: named.hash })
    : lookUp.patById.execute({ id: named.id }));
  const now = ctx.now();
  if (!found || !sameText(found.token.token, named.hash)) throw unauthorized();
  const { token, user } = found;
  if (token.expiresAt && token.expiresAt <= now) throw unauthorized();
  if (!token.lastUsedAt || now.getTime() - token.lastUsedAt.getTime() > useStepMs) {
    noteUse(
      ctx,
      ctx.db
        .update(personalAccessTokens)
        .set({ lastUsedAt: wholeSecond(now) })
        .where(eq(personalAccessTokens.id, token.id)),
    );
  }
  const id = `pat:${token.id}`;
  return {
    user: callerUser(ctx.config, user),
    credential: "pat",
    lane: "bearer",
    sessionId: id,
    deviceId: id,
    tokenName: token.name,
    activeOrgId: found.orgId ?? personalOrg(user.id),
    tokenId: token.id,
    abilities: abilitiesOf(token.abilities),
    workerId: token.workerId,
  };
}

async function bySession(ctx: Context, lookUp: LookUps, token: string, lane: Caller["lane"]): Promise<Caller> {
  const [found] = await lookUp.session.execute({ hash: sha256(token) });
  const now = ctx.now();
  if (!found) throw unauthorized();
  const { session, user } = found;
  if (session.status !== "active" || session.accessExpiresAt <= now || session.refreshExpiresAt <= now)
    throw unauthorized();
  if (!session.lastUsedAt || now.getTime() - session.lastUsedAt.getTime() > useStepMs) {
    noteUse(
      ctx,
      ctx.db
        .update(authSessions)
        .set({ lastUsedAt: wholeSecond(now) })
        .where(eq(authSessions.id, session.id)),
    );
  }
  return sessionCaller(ctx, session, user, lane);
}

const sessionCaller = (ctx: Context, session: SessionRow, user: UserRow, lane: Caller["lane"]): Caller => ({
  user: callerUser(ctx.config, user),
  credential: "session",
  lane,
  sessionId: session.id,
  deviceId: session.deviceId,
  tokenName: session.tokenName,
  activeOrgId: session.activeOrgId,
  tokenId: null,
  abilities: ["*"],
  workerId: null,
});

/** Not waited for: a lost time of last use must neither delay nor fail a request. */
function noteUse(ctx: Context, write: PromiseLike<unknown>): void {
  Promise.resolve(write).catch((error: unknown) => {
    ctx.log.debug("oa.auth", "last use was not noted", { error_message: String(error) });
  });
}

/** The gate of auth.md 2.0: with WorkOS only its people come in. */
function gated(ctx: Context, caller: Caller): Caller {
  if (providerOf(ctx.config) !== "workos") return caller;
  const { workosId } = caller.user;
  const test = workosId.startsWith("test_local_") && !ctx.config.OA_AUTH_LOCAL_TEST_LOGIN_ENABLED;
  if (!workosId.trim() || test) throw unauthorized("WorkOS session required.");
  return caller;
}

/** A page that a browser navigates to, as against what its scripts fetch. */
function isDocument(request: Request): boolean {
  if (request.method !== "GET") return false;
  const url = request.url;
  if (url.startsWith("/api/") || /^https?:\/\/[^/]+\/api\//.test(url)) return false;
  const destination = request.headers.get("sec-fetch-dest");
  if (destination !== null) return destination === "document";
  return (request.headers.get("accept") ?? "").includes("text/html");
}

/**
 * A navigation with a dead access cookie and a good refresh cookie is rotated in place (auth.md 3.5). With neither it is a
 * guest's; dead cookies are cleared so that the next one asks nothing of the database.
 */
async function documentCaller(ctx: Context, lookUp: LookUps, request: Request, facts: Facts): Promise<Caller | null> {
  const { oa_access_token: access, oa_refresh_token: refresh } = facts.cookies;
  const bearerFirst = access ? await quietly(() => bySession(ctx, lookUp, access, "cookie")) : null;
  if (bearerFirst) return gated(ctx, bearerFirst);
  if (!access && !refresh) return null;
  const rotated = refresh
    ? await quietly(() => refreshSession(ctx, { token: refresh, lane: "cookie", deviceId: null, visit: facts }))
    : null;
  const user = rotated && (await findUser(ctx.db, rotated.session.userId));
  if (!rotated || !user) {
    clearCookie(request, "oa_access_token");
    clearCookie(request, "oa_refresh_token");
    return null;
  }
  if (rotated.tokens) setSessionCookies(ctx, request, rotated.tokens);
  return gated(ctx, sessionCaller(ctx, rotated.session, user, "cookie"));
}

async function quietly<T>(work: () => Promise<T>): Promise<T | null> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Refusal && error.kind === "unauthorized") return null;
    throw error;
  }
}
