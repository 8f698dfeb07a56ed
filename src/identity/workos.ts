import type { Context } from "../context";
import { OutboundError, type OutboundResponse } from "../http/outbound";
import { isEmail } from "../http/rules";
import { invalid } from "../refusal";
import type { Visit } from "./sessions";
import type { Identity } from "./users";

/** WorkOS's e-mail code (auth.md 6). POSTs are never retried: a retry would mail a second code. */
const timeoutMs = 10_000;

const call = (
  ctx: Context,
  method: "POST" | "DELETE",
  path: string,
  json?: Record<string, unknown>,
  from?: Visit,
): Promise<OutboundResponse> =>
  ctx.outbound.call({
    service: "workos",
    method,
    url: `${ctx.config.OA_WORKOS_API_BASE_URL.replace(/\/+$/, "")}${path}`,
    headers: { authorization: `Bearer ${ctx.config.WORKOS_API_KEY}`, "content-type": "application/json" },
    ...(json ? { json } : {}),
    timeoutMs,
    ...(from ? { from } : {}),
  });

const good = (response: OutboundResponse): boolean => response.status >= 200 && response.status < 300;

const members = (value: unknown): Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};

const text = (value: unknown): string => (typeof value === "string" ? value.trim() : "");

const sendFailed = () => invalid("email", "Unable to send a sign-in code right now. Please try again.");
const codeRefused = () => invalid("code", "That code is invalid or expired. Request a new one.");

export interface SentCode {
  providerUserId: string;
  /** Null when the provider says nothing readable. */
  expiresAt: Date | null;
}

/** Asks WorkOS to mail a code. Throws 422 on `email`; the reply's own `code` is never looked at. */
export async function sendWorkosCode(ctx: Context, email: string, visit: Visit): Promise<SentCode> {
  const response = await call(ctx, "POST", "/user_management/magic_auth", { email }, visit).catch(unlessOutbound);
  if (!response || !good(response) || response.json === undefined) throw sendFailed();
  const reply = members(response.json);
  const providerUserId = text(reply.user_id) || text(reply.userId);
  if (!providerUserId) throw invalid("email", "Sign-in provider response was invalid. Please try again.");
  const expires = Date.parse(text(reply.expires_at) || text(reply.expiresAt));
  return { providerUserId, expiresAt: Number.isNaN(expires) ? null : new Date(expires) };
}

/** A network failure or timeout as null; bugs go on. */
function unlessOutbound(error: unknown): null {
  if (error instanceof OutboundError) return null;
  throw error;
}

/** Whether the provider itself failed, so that a try should not count as a wrong code. */
export class ProviderDown extends Error {}

/**
 * Who a code belongs to: by e-mail first, then once more by user id, but only after an HTTP answer below 500 (auth.md 6).
 * Throws 422 on `code`; `ProviderDown` when there was no answer to count.
 */
export async function checkWorkosCode(
  ctx: Context,
  challenge: { email: string; providerUserId: string },
  code: string,
  visit: Visit,
): Promise<Identity> {
  const { config } = ctx;
  const shared = {
    client_id: config.WORKOS_CLIENT_ID,
    client_secret: config.WORKOS_API_KEY,
    grant_type: "urn:workos:oauth:grant-type:magic-auth:code",
  };
  const about = {
    code,
    ...(visit.ip ? { ip_address: visit.ip } : {}),
    ...(visit.userAgent ? { user_agent: visit.userAgent } : {}),
  };
  const ask = (who: Record<string, string>) =>
    call(ctx, "POST", "/user_management/authenticate", { ...shared, ...who, ...about }, visit).catch(unlessOutbound);
  let response = await ask({ email: challenge.email });
  if (!response || response.status >= 500) throw new ProviderDown();
  if (!good(response)) {
    response = await ask({ user_id: challenge.providerUserId });
    if (!response || response.status >= 500) throw new ProviderDown();
  }
  if (!good(response)) throw codeRefused();
  if (response.json === undefined) throw new ProviderDown();
  return identityOf(members(response.json));
}

function identityOf(reply: Record<string, unknown>): Identity {
  if (typeof reply.user !== "object" || reply.user === null || Array.isArray(reply.user)) {
    throw invalid("code", "Sign-in provider response was invalid. Please try again.");
  }
  const pick = (snake: string, camel: string, from: Record<string, unknown>) => text(from[snake]) || text(from[camel]);
  if (!pick("access_token", "accessToken", reply) || !pick("refresh_token", "refreshToken", reply)) {
    throw invalid("code", "Sign-in provider response was incomplete. Please try again.");
  }
  const user = members(reply.user);
  const [providerId, email] = [text(user.id), text(user.email)];
  if (!providerId || !isEmail(email)) {
    throw invalid("code", "Sign-in provider user payload was invalid. Please try again.");
  }
  const name = [pick("first_name", "firstName", user), pick("last_name", "lastName", user)].filter(Boolean).join(" ");
  return { providerId, email, name, picture: pick("profile_picture_url", "profilePictureUrl", user) };
}

export const codeFailed = codeRefused;

/** Deletes a person at WorkOS: 2xx and 404 are done, anything else throws, so that the job tries again. */
export async function deleteWorkosUser(ctx: Context, workosId: string): Promise<void> {
  if (!ctx.config.WORKOS_API_KEY) throw new Error("WORKOS_API_KEY is not set");
  const response = await call(ctx, "DELETE", `/user_management/users/${encodeURIComponent(workosId)}`);
  if (!good(response) && response.status !== 404) throw new Error(`WorkOS answered ${response.status}`);
}
