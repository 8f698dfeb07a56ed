import type { Context } from "../context";
import { type Caller, isWorkerToken } from "../http/caller";
import { forbidden, invalidRequest } from "../refusal";
import { randomHex } from "./credentials";
import { signJwt } from "./jwt";
import { decide, membershipsOf, type OwnsRun, personalOrg, topicOrg } from "./memberships";
import { type Visit, whoOf } from "./sessions";
import { later, wholeSecond } from "./times";
import { type Minting, syncMinting } from "./token-settings";

export interface SyncTokenRequest {
  scopes: string[];
  topics: string[];
  ttlSeconds: number | null;
  /** Folded; null = the caller's own. */
  deviceId: string | null;
  clientSurface: string | null;
}

export interface GrantedTopic {
  topic: string;
  required_scope: string;
}

export interface SyncToken {
  token: string;
  minting: Minting;
  tokenId: string;
  issuedAt: Date;
  expiresAt: Date;
  ttl: number;
  subject: string;
  orgId: string;
  scopes: string[];
  topics: GrantedTopic[];
  deviceId: string;
}

const workerScopes = ["runtime.codex_worker_events", "runtime.codex_worker_summaries"];

/** Scope that a kind of topic asks for, by the topic's ending (auth.md 3.7). */
const endings: [ending: string, scope: string][] = [
  [":worker_events", "runtime.codex_worker_events"],
  [":workers", "runtime.codex_worker_summaries"],
  [":runs", "runtime.run_summaries"],
];

const distinct = (items: string[]): string[] => [...new Set(items.map((item) => item.trim()).filter(Boolean))];

/** Mints a sync token (auth.md 2.9, 3.7), with the refusals in that order. */
export async function mintSyncToken(
  ctx: Context,
  caller: Caller,
  wanted: SyncTokenRequest,
  ownsRun: OwnsRun,
  visit: Visit,
): Promise<SyncToken> {
  if (caller.credential === "session" && wanted.deviceId !== null && wanted.deviceId !== caller.deviceId) {
    throw forbidden("Requested device does not match active authenticated session device.");
  }
  const minting = await syncMinting(ctx);
  const ttl = wanted.ttlSeconds ?? minting.ttl;
  if (ttl < minting.minTtl || ttl > minting.maxTtl) throw invalidRequest("requested ttl is outside configured bounds");
  const scopes = grantScopes(ctx, caller, wanted.scopes);
  const userId = caller.user.id;
  const orgId =
    caller.activeOrgId === personalOrg(userId)
      ? `${ctx.config.OA_SYNC_TOKEN_ORG_PREFIX}:${userId}`
      : caller.activeOrgId;
  const asked = distinct(wanted.topics);
  const topics = grantTopics(userId, orgId, scopes, asked);
  const memberships = await membershipsOf(ctx.db, userId, caller.user.email);
  const question = { userId, activeOrgId: caller.activeOrgId, scopes, topics: asked };
  if (!(await decide(memberships, question, ownsRun)).allowed) {
    throw forbidden("Requested sync scopes/topics are not allowed for current org policy.");
  }
  const issuedAt = wholeSecond(ctx.now());
  const expiresAt = later(issuedAt, ttl);
  const tokenId = `sync_${randomHex()}`;
  const subject = `${minting.subjectPrefix}:${userId}`;
  const deviceId = wanted.deviceId ?? caller.deviceId;
  const token = await signJwt(
    {
      iss: minting.issuer,
      aud: minting.audience,
      sub: subject,
      iat: issuedAt.getTime() / 1000,
      nbf: issuedAt.getTime() / 1000,
      exp: expiresAt.getTime() / 1000,
      jti: tokenId,
      oa_user_id: userId,
      oa_org_id: orgId,
      oa_session_id: caller.sessionId,
      oa_device_id: deviceId,
      oa_sync_scopes: scopes,
      oa_sync_topics: topics.map(({ topic }) => topic),
      oa_claims_version: minting.claimsVersion,
      ...(wanted.clientSurface ? { oa_client_surface: wanted.clientSurface } : {}),
    },
    minting.key,
    minting.keyId,
  );
  await ctx.commit(async ({ audit }) =>
    audit({
      event: "sync.token.issued",
      requestId: visit.requestId,
      ...whoOf(caller),
      attributes: { scope_count: String(scopes.length), topic_count: String(topics.length), expires_in: String(ttl) },
    }),
  );
  return { token, minting, tokenId, issuedAt, expiresAt, ttl, subject, orgId, scopes, topics, deviceId };
}

/** Request order kept; none asked = the defaults, else all allowed. A worker token gets the worker scopes only. */
function grantScopes(ctx: Context, caller: Caller, asked: string[]): string[] {
  const { OA_SYNC_TOKEN_ALLOWED_SCOPES: configured, OA_SYNC_TOKEN_DEFAULT_SCOPES: usual } = ctx.config;
  const allowed = isWorkerToken(caller) ? configured.filter((scope) => workerScopes.includes(scope)) : configured;
  const wanted = distinct(asked);
  const defaults = distinct(usual);
  const scopes = wanted.length ? wanted : defaults.length ? defaults : allowed;
  if (!scopes.every((scope) => allowed.includes(scope))) {
    throw invalidRequest("requested sync scopes are not allowed", "invalid_scope");
  }
  return scopes;
}

function grantTopics(userId: number, orgId: string, scopes: string[], asked: string[]): GrantedTopic[] {
  if (!asked.length) {
    return scopes.flatMap((scope) => {
      const ending = endings.find(([, needed]) => needed === scope)?.[0];
      if (!ending) return [];
      const topic = ending === ":runs" ? `user:${userId}:runs` : `${topicOrg(orgId)}${ending}`;
      return [{ topic, required_scope: scope }];
    });
  }
  return asked.map((topic) => {
    const scope = endings.find(([ending]) => topic.endsWith(ending))?.[1];
    if (!scope) throw invalidRequest(`requested topic '${topic}' is not supported`);
    if (!scopes.includes(scope))
      throw invalidRequest(`requested topic '${topic}' requires scope '${scope}'`, "invalid_scope");
    return { topic, required_scope: scope };
  });
}
