import type { Context } from "../context";
import type { Caller } from "../http/caller";
import { randomHex } from "./credentials";
import { signJwt } from "./jwt";
import { later, wholeSecond } from "./times";
import { khalaMinting, type Minting } from "./token-settings";

export interface KhalaTokenRequest {
  scope: string[];
  workspaceId: string | null;
  role: string | null;
}

export interface KhalaToken {
  token: string;
  minting: Minting;
  issuedAt: Date;
  expiresAt: Date;
  subject: string;
  scope: string[];
}

/**
 * Mints a Khala token (auth.md 2.8, 3.8). Its scope, role and workspace are the caller's own assertion: nothing in this
 * server accepts one as authorisation.
 */
export async function mintKhalaToken(ctx: Context, caller: Caller, wanted: KhalaTokenRequest): Promise<KhalaToken> {
  const minting = await khalaMinting(ctx);
  const issuedAt = wholeSecond(ctx.now());
  const expiresAt = later(issuedAt, minting.ttl);
  const scope = [...new Set(wanted.scope.map((item) => item.trim()).filter(Boolean))];
  const subject = `${minting.subjectPrefix}:${caller.user.id}`;
  const claims = {
    iss: minting.issuer,
    aud: minting.audience,
    sub: subject,
    iat: issuedAt.getTime() / 1000,
    nbf: issuedAt.getTime() / 1000,
    exp: expiresAt.getTime() / 1000,
    jti: randomHex(12),
    oa_user_id: caller.user.id,
    oa_claims_version: minting.claimsVersion,
    ...(scope.length ? { scope } : {}),
    ...(wanted.workspaceId ? { oa_workspace_id: wanted.workspaceId } : {}),
    ...(wanted.role ? { oa_role: wanted.role } : {}),
  };
  return { token: await signJwt(claims, minting.key, minting.keyId), minting, issuedAt, expiresAt, subject, scope };
}
