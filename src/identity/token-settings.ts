import type { Config } from "../config";
import type { Context } from "../context";
import { unavailable } from "../refusal";
import { appSecret } from "./app-secrets";

/** How one kind of token is minted, checked and complete. */
export interface Minting {
  key: string;
  issuer: string;
  audience: string;
  ttl: number;
  minTtl: number;
  maxTtl: number;
  subjectPrefix: string;
  keyId: string;
  claimsVersion: string;
}

const boundsHold = (ttl: number, min: number, max: number) => ttl >= min && ttl <= max;

/** Signing key of the environment, else the one made once in `app_secrets`; "" when it is set to nothing (auth.md 5). */
const signingKey = async (ctx: Context, configured: string | null, secret: string): Promise<string> =>
  configured === null ? appSecret(ctx, secret) : configured.trim();

export const syncKey = (ctx: Context): Promise<string> =>
  signingKey(ctx, ctx.config.OA_SYNC_TOKEN_SIGNING_KEY, "sync_token_signing_key");

/** What sync tokens are minted with. Throws 503 `sync_token_unavailable` in the order of auth.md 3.7. */
export async function syncMinting(ctx: Context): Promise<Minting> {
  const { config } = ctx;
  const refuse = (what: string) => unavailable(`sync token ${what}`, "sync_token_unavailable");
  if (!config.OA_SYNC_TOKEN_ENABLED) throw refuse("minting is disabled");
  const key = await syncKey(ctx);
  if (!key) throw refuse("signing key is not configured");
  const issuer = config.OA_SYNC_TOKEN_ISSUER ?? ctx.appUrl();
  if (!issuer || !config.OA_SYNC_TOKEN_AUDIENCE) throw refuse("issuer and audience must be configured");
  if (!config.OA_SYNC_TOKEN_KEY_ID) throw refuse("key_id must be configured");
  if (!config.OA_SYNC_TOKEN_CLAIMS_VERSION) throw refuse("claims_version must be configured");
  const [ttl, min, max] = syncBounds(config);
  if (min <= 0 || max <= 0 || max < min) throw refuse("ttl bounds are invalid");
  if (!boundsHold(ttl, min, max)) throw refuse("ttl_seconds is outside configured bounds");
  if (!config.OA_SYNC_TOKEN_ALLOWED_SCOPES.length) throw refuse("scopes are not configured");
  return {
    key,
    issuer,
    audience: config.OA_SYNC_TOKEN_AUDIENCE,
    ttl,
    minTtl: min,
    maxTtl: max,
    subjectPrefix: config.OA_SYNC_TOKEN_SUBJECT_PREFIX,
    keyId: config.OA_SYNC_TOKEN_KEY_ID,
    claimsVersion: config.OA_SYNC_TOKEN_CLAIMS_VERSION,
  };
}

const syncBounds = (config: Config): [ttl: number, min: number, max: number] => [
  config.OA_SYNC_TOKEN_TTL_SECONDS,
  config.OA_SYNC_TOKEN_MIN_TTL_SECONDS,
  config.OA_SYNC_TOKEN_MAX_TTL_SECONDS,
];

const khalaBounds = (config: Config): [ttl: number, min: number, max: number] => [
  config.OA_KHALA_TOKEN_TTL_SECONDS,
  config.OA_KHALA_TOKEN_MIN_TTL_SECONDS,
  config.OA_KHALA_TOKEN_MAX_TTL_SECONDS,
];

/** What Khala tokens are minted with. Throws 503 `khala_token_unavailable` in the order of auth.md 3.8. */
export async function khalaMinting(ctx: Context): Promise<Minting> {
  const { config } = ctx;
  const refuse = (what: string) => unavailable(`khala token ${what}`, "khala_token_unavailable");
  if (!config.OA_KHALA_TOKEN_ENABLED) throw refuse("minting is disabled");
  const key = await signingKey(ctx, config.OA_KHALA_TOKEN_SIGNING_KEY, "khala_token_signing_key");
  if (!key) throw refuse("signing key is not configured");
  const issuer = config.OA_KHALA_TOKEN_ISSUER ?? ctx.appUrl();
  if (!issuer || !config.OA_KHALA_TOKEN_AUDIENCE) throw refuse("issuer and audience must be configured");
  if (!config.OA_KHALA_TOKEN_CLAIMS_VERSION) throw refuse("claims_version must be configured");
  const [ttl, min, max] = khalaBounds(config);
  if (min <= 0 || max <= 0 || max < min) throw refuse("ttl bounds are invalid");
  if (!boundsHold(ttl, min, max)) throw refuse("ttl_seconds is outside configured bounds");
  return {
    key,
    issuer,
    audience: config.OA_KHALA_TOKEN_AUDIENCE,
    ttl,
    minTtl: min,
    maxTtl: max,
    subjectPrefix: config.OA_KHALA_TOKEN_SUBJECT_PREFIX,
    keyId: config.OA_KHALA_TOKEN_KEY_ID,
    claimsVersion: config.OA_KHALA_TOKEN_CLAIMS_VERSION,
  };
}

/** What makes every request for a token fail with 503: worth a warning at start (auth.md 5). */
export function tokenWarnings(config: Config): string[] {
  const kinds: [string, [number, number, number]][] = [
    ["OA_SYNC_TOKEN", syncBounds(config)],
    ["OA_KHALA_TOKEN", khalaBounds(config)],
  ];
  return kinds
    .filter(([, [ttl, min, max]]) => min <= 0 || max < min || !boundsHold(ttl, min, max))
    .map(
      ([name]) =>
        `${name}_TTL_SECONDS must lie between ${name}_MIN_TTL_SECONDS and ${name}_MAX_TTL_SECONDS; until then no token is given out`,
    );
}
