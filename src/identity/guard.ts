import { eq, sql } from "drizzle-orm";
import { authSessions, personalAccessTokens, users } from "../../db/schema/identity";
import type { Context } from "../context";
import type { Caller } from "../http/caller";
import { clearCookie } from "../http/cookies";
import type { Facts } from "../http/facts";
import type { Guards } from "../http/guards";
import { sameText } from "../http/same-text";
import { Refusal, type RefusalKind, unauthorized } from "../refusal";
import { setSessionCookies } from "./cookies";
import { readPat, sha256 } from "./credentials";
import { type LookUps, prepareLookUps } from "./look-ups";
import { personalOrg } from "./memberships";
import type { MeView } from "./neighbours";
import { providerOf } from "./providers";
import { refreshSession } from "./refresh";
import type { SessionRow } from "./sessions";
import { wholeSecond } from "./times";
import { abilitiesOf } from "./tokens";
import { callerUser, findUser } from "./users";

/** `last_used_at` is written when it is older than this. */
const useStepMs = 60_000;

/** One look-up: which statements, and what else was read with the person. */
interface Ask {
  lookUp: LookUps;
  limit: number;
  view: unknown;
}

/** What was read for `GET /api/me` beside its caller. */
interface ReadView {
  stored: unknown;
  limit: number;
}

const views = new WeakMap<Request, ReadView>();

/** What the guard read for this `GET /api/me`; undefined when it was made without a view. */
export const viewOf = (request: Request): ReadView | undefined => views.get(request);

/**
 * Who a request comes from, by header or cookie (auth.md 2.0): one prepared statement for each kind of credential. For
 * `GET /api/me` it reads `view` too.
 */
export function createGuards(ctx: Context, view?: MeView): Guards {
  const plain = prepareLookUps(ctx, "identity");
  const viewing = view && prepareLookUps(ctx, "identity_me", view.column(users.id, sql.placeholder("limit")));
  return {
    async caller(request, facts) {
      const me = viewing !== undefined && isMe(request);
      const ask: Ask = { lookUp: me ? viewing : plain, limit: me ? chatLimitOf(request) : 1, view: null };
      const caller = await callerOf(ctx, ask, request, facts);
      if (me && caller) views.set(request, { stored: ask.view, limit: ask.limit });
      return caller && gated(ctx, caller);
    },
    refused: (event, refusal, facts) => noteRefusal(ctx, event, refusal, facts),
  };
}

const isMe = ({ method, url }: Request): boolean => method === "GET" && /[^/]\/api\/me\/?(\?|$)/.test(url);

function callerOf(ctx: Context, ask: Ask, request: Request, facts: Facts): Promise<Caller | null> {
  const bearer = bearerOf(request.headers.get("authorization"));
  if (bearer !== null) return byBearer(ctx, ask, bearer);
  if (isDocument(request)) return documentCaller(ctx, ask, request, facts);
  const cookie = facts.cookies.oa_access_token;
  return cookie ? bySession(ctx, ask, cookie, "cookie") : Promise.resolve(null);
}

/** `chat_limit` of a request: default 50, brought into 1 to 200; what is no number counts as 0 (auth.md 2.7). */
export function chatLimitOf({ url }: Request): number {
  const at = url.indexOf("?");
  const given = at < 0 ? null : new URLSearchParams(url.slice(at + 1)).get("chat_limit")?.trim();
  if (!given) return 50;
  const number = Math.trunc(Number(given));
  return Math.min(200, Math.max(1, Number.isNaN(number) ? 0 : number));
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

function byBearer(ctx: Context, ask: Ask, bearer: string): Promise<Caller> {
  if (!bearer.includes("|") && bearer.startsWith("oa_at_")) return bySession(ctx, ask, bearer, "bearer");
  return byPat(ctx, ask, bearer);
}

async function byPat(ctx: Context, ask: Ask, bearer: string): Promise<Caller> {
  const { lookUp, limit } = ask;
  const named = readPat(bearer);
  if (!named || bearer === "") throw unauthorized();
  const [found] = await (named.id === null ? lookUp.patByHash(named.hash, limit) : lookUp.patById(named.id, limit));
  const now = ctx.now();
  if (!found || !sameText(found.token.token, named.hash)) throw unauthorized();
  const { token, user } = found;
  ask.view = found.view;
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

async function bySession(ctx: Context, ask: Ask, token: string, lane: Caller["lane"]): Promise<Caller> {
  const [found] = await ask.lookUp.session(sha256(token), ask.limit);
  const now = ctx.now();
  if (!found) throw unauthorized();
  const { session, user } = found;
  ask.view = found.view;
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

type Living = Pick<SessionRow, "id" | "deviceId" | "tokenName" | "activeOrgId">;

const sessionCaller = (
  ctx: Context,
  session: Living,
  user: Parameters<typeof callerUser>[1],
  lane: Caller["lane"],
): Caller => ({
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
async function documentCaller(ctx: Context, ask: Ask, request: Request, facts: Facts): Promise<Caller | null> {
  const { oa_access_token: access, oa_refresh_token: refresh } = facts.cookies;
  const living = access ? await quietly(() => bySession(ctx, ask, access, "cookie")) : null;
  if (living) return living;
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
  return sessionCaller(ctx, rotated.session, user, "cookie");
}

async function quietly<T>(work: () => Promise<T>): Promise<T | null> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Refusal && error.kind === "unauthorized") return null;
    throw error;
  }
}
