import { Elysia, t } from "elysia";
import type { Context } from "../context";
import type { Caller } from "../http/caller";
import type { Facts } from "../http/facts";
import { platform } from "../http/platform";
import { notFound } from "../refusal";
import { Deleted } from "./contract";
import { clientName, deviceIdOf } from "./devices";
import { mintKhalaToken } from "./khala-tokens";
import type { Neighbours } from "./neighbours";
import { mintSyncToken } from "./sync-tokens";
import { offset, sixDigitsOrNull, wholeSecond } from "./times";
import {
  abilitiesOf,
  createToken,
  deleteAllTokens,
  deleteCurrentToken,
  deleteToken,
  listTokens,
  type TokenRow,
} from "./tokens";
import {
  DeletedCount,
  KhalaToken,
  KhalaTokenRequest,
  NewToken,
  SyncToken,
  SyncTokenRequest,
  TokenCreated,
  type TokenItem,
  TokenList,
} from "./tokens-contract";

const tokenItem = (row: TokenRow, caller: Caller): TokenItem => ({
  id: row.id,
  name: row.name,
  abilities: abilitiesOf(row.abilities),
  lastUsedAt: sixDigitsOrNull(row.lastUsedAt),
  expiresAt: sixDigitsOrNull(row.expiresAt),
  createdAt: sixDigitsOrNull(row.createdAt),
  isCurrent: row.id === caller.tokenId,
});

/** A checked date; UTC when it names no offset (auth.md 2.6). */
function dateOf(text: unknown): Date | null {
  if (typeof text !== "string") return null;
  const iso = text.trim().replace(" ", "T");
  return wholeSecond(new Date(iso.includes("T") && !/(z|[+-]\d{2}:?\d{2})$/i.test(iso) ? `${iso}Z` : iso));
}

/** Digits of a row's id; anything else is no token of anybody. */
function tokenIdOf(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw notFound();
  return Number(text);
}

/** Personal access tokens, Khala tokens, sync tokens (auth.md 2.6, 2.8, 2.9). */
export const tokensApi = (ctx: Context, { ownsRun = async () => false }: Neighbours) => {
  const syncToken = async (
    request: Request,
    caller: Caller,
    facts: Facts,
    body: (typeof SyncTokenRequest)["static"],
  ) => {
    const wanted = {
      scopes: body.scopes ?? [],
      topics: body.topics ?? [],
      ttlSeconds: body.ttl_seconds ?? null,
      deviceId: deviceIdOf(body.device_id),
      clientSurface: clientName(request.headers.get("x-client")),
    };
    const minted = await mintSyncToken(ctx, caller, wanted, ownsRun, facts);
    const { minting } = minted;
    return {
      data: {
        token: minted.token,
        token_type: "Bearer",
        expires_in: minted.ttl,
        issued_at: offset(minted.issuedAt),
        expires_at: offset(minted.expiresAt),
        issuer: minting.issuer,
        audience: minting.audience,
        subject: minted.subject,
        org_id: minted.orgId,
        claims_version: minting.claimsVersion,
        scopes: minted.scopes,
        granted_topics: minted.topics,
        kid: minting.keyId,
        token_id: minted.tokenId,
        session_id: caller.sessionId,
        device_id: minted.deviceId,
      },
    };
  };

  return new Elysia({ tags: ["Auth"] })
    .use(platform)
    .get(
      "/api/tokens",
      async ({ caller }) => ({ data: (await listTokens(ctx, caller)).map((row) => tokenItem(row, caller)) }),
      {
        user: true,
        response: { 200: TokenList },
        detail: { operationId: "tokensList", summary: "List own API tokens" },
      },
    )
    .post(
      "/api/tokens",
      async ({ caller, facts, body, status }) => {
        const wanted = {
          name: body.name,
          abilities: body.abilities ?? [],
          expiresAt: dateOf(body.expires_at ?? body.expiresAt),
        };
        const { row, bearer } = await createToken(ctx, caller, wanted, facts);
        return status(201, {
          data: {
            token: bearer,
            tokenableId: row.tokenableId,
            name: row.name,
            abilities: abilitiesOf(row.abilities),
            expiresAt: sixDigitsOrNull(row.expiresAt),
          },
        });
      },
      {
        user: true,
        body: NewToken,
        response: { 201: TokenCreated },
        detail: { operationId: "tokensCreate", summary: "Create an API token" },
      },
    )
    .delete(
      "/api/tokens",
      async ({ caller, facts }) => ({ data: { deletedCount: await deleteAllTokens(ctx, caller, facts) } }),
      {
        user: true,
        response: { 200: DeletedCount },
        detail: { operationId: "tokensDestroyAll", summary: "Delete all own API tokens" },
      },
    )
    .delete(
      "/api/tokens/current",
      async ({ caller, facts }) => ({ data: { deleted: await deleteCurrentToken(ctx, caller, facts) } }),
      {
        user: "worker",
        response: { 200: Deleted },
        detail: { operationId: "tokensDestroyCurrent", summary: "Delete the API token of this request" },
      },
    )
    .delete(
      "/api/tokens/:tokenId",
      async ({ caller, facts, params }) => {
        await deleteToken(ctx, caller, tokenIdOf(params.tokenId), facts);
        return { data: { deleted: true } };
      },
      {
        user: true,
        params: t.Object({ tokenId: t.String() }),
        response: { 200: Deleted },
        detail: { operationId: "tokensDestroy", summary: "Delete an API token" },
      },
    )
    .post(
      "/api/khala/token",
      async ({ caller, body }) => {
        const { scope, workspace_id = null, role = null } = body;
        const minted = await mintKhalaToken(ctx, caller, { scope: scope ?? [], workspaceId: workspace_id, role });
        const { minting } = minted;
        return {
          data: {
            token: minted.token,
            token_type: "Bearer",
            expires_in: minting.ttl,
            issued_at: offset(minted.issuedAt),
            expires_at: offset(minted.expiresAt),
            issuer: minting.issuer,
            audience: minting.audience,
            subject: minted.subject,
            claims_version: minting.claimsVersion,
            scope: minted.scope,
            workspace_id,
            role,
            kid: minting.keyId,
          },
        };
      },
      {
        user: true,
        body: KhalaTokenRequest,
        response: { 200: KhalaToken },
        detail: { operationId: "khalaToken", summary: "Mint a Khala token", tags: ["Sync"] },
      },
    )
    .post("/api/sync/token", ({ request, caller, facts, body }) => syncToken(request, caller, facts, body), {
      user: "worker",
      body: SyncTokenRequest,
      response: { 200: SyncToken },
      detail: { operationId: "syncToken", summary: "Mint a sync token for Khala sockets", tags: ["Sync"] },
    })
    .post("/api/v1/sync/token", ({ request, caller, facts, body }) => syncToken(request, caller, facts, body), {
      user: true,
      body: SyncTokenRequest,
      response: { 200: SyncToken },
      detail: {
        operationId: "v1SyncToken",
        summary: "Mint a sync token for Khala sockets",
        tags: ["Sync"],
      },
    });
};
