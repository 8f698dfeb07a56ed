import { createHmac } from "node:crypto";
import { maintenanceState } from "../../db/schema/platform";
import type { Config } from "../config";
import type { Context } from "../context";
import { baseHeaders, failure, respond } from "../http/answer";
import type { Caller } from "../http/caller";
import { errorAnswer } from "../http/errors";
import { countProof } from "../http/proof";
import { sameText } from "../http/same-text";
import type { RequestState } from "../http/state";
import { wantsHtml } from "../http/treatment";
import { conflict } from "../refusal";
import type { MaintenanceChange } from "./contract";
import { maintenancePage, maintenancePolicy, usualMessage } from "./maintenance-page";
import type { Stored } from "./stored";

const always = ["/metrics", "/up", "/api/v1/control/maintenance"];
const jsonOnly = new Set(["/manifest.json", "/openapi.json", "/sw.js"]);
const cacheControl = "no-store, no-cache, must-revalidate";
const bypassName = "maintenance_bypass";

/** Whether `path` is let through: an entry is exact, or a prefix when it ends in `*` and there is something before that. */
const isAllowed = (path: string, entries: string[]): boolean =>
  entries.some((entry) =>
    entry.length > 1 && entry.endsWith("*") ? path.startsWith(entry.slice(0, -1)) : path === entry,
  );

const signature = (token: string, expires: string): string =>
  createHmac("sha256", token).update(expires).digest("base64url");

/** Value of the bypass cookie: `{exp}.{sig}`, `expires` in epoch seconds (http-platform 3.8). */
export const bypassValue = (token: string, expires: number): string =>
  `${expires}.${signature(token, String(expires))}`;

/** Whether a bypass cookie's value was signed with `token` and lasts beyond `now` (epoch seconds). */
export function isBypass(value: string, token: string, now: number): boolean {
  const [expires = "", given = "", ...more] = value.split(".");
  if (more.length || !/^\d{1,12}$/.test(expires) || Number(expires) <= now) return false;
  return sameText(given, signature(token, expires));
}

/** A query without the bypass, in its order; the given token, or null. */
function splitBypass(url: string): { token: string; rest: string } | null {
  const at = url.indexOf("?");
  if (at < 0 || !url.includes(bypassName, at)) return null;
  const parts = url.slice(at + 1).split("&");
  const isBypassPart = (part: string) => part === bypassName || part.startsWith(`${bypassName}=`);
  const given = parts.find(isBypassPart);
  if (given === undefined) return null;
  const rest = parts.filter((part) => !isBypassPart(part)).join("&");
  return { token: new URLSearchParams(given).get(bypassName) ?? "", rest: rest ? `?${rest}` : "" };
}

export const bypassToken = (config: Config): string | null => config.OA_MAINTENANCE_BYPASS_TOKEN?.trim() || null;

/** Maintenance as the control endpoint shows it (http-platform 3.8). */
export function maintenanceView({ config }: Context, stored: Stored, startedAt: Date) {
  const row = stored.maintenance();
  const forced = config.OA_MAINTENANCE_MODE_ENABLED;
  const on = row?.enabled ? row : null;
  return {
    enabled: forced || on !== null,
    source: forced ? ("env" as const) : on ? ("stored" as const) : ("off" as const),
    since: forced ? startedAt.toISOString() : (on?.since.toISOString() ?? null),
    reason: on?.reason ?? null,
    by: on?.by ?? null,
    bypassConfigured: bypassToken(config) !== null,
    allowedPaths: [...config.OA_MAINTENANCE_ALLOWED_PATHS, ...(on?.allowedPaths ?? [])],
  };
}

/** Switches maintenance for all nodes. Throws 409 when the environment forces it. */
export async function switchMaintenance(
  ctx: Context,
  stored: Stored,
  { user, sessionId, deviceId, activeOrgId }: Caller,
  { enabled, reason = null, message = null, allowed_paths: allowedPaths = [] }: MaintenanceChange,
  requestId: string,
): Promise<void> {
  if (!enabled && ctx.config.OA_MAINTENANCE_MODE_ENABLED)
    throw conflict("Maintenance mode is forced by OA_MAINTENANCE_MODE_ENABLED.");
  const row = { enabled, reason, message, allowedPaths: allowedPaths ?? [], updatedBy: user.id, updatedAt: ctx.now() };
  await ctx.commit(async ({ db, audit }) => {
    await db
      .insert(maintenanceState)
      .values({ id: 1, ...row })
      .onConflictDoUpdate({ target: maintenanceState.id, set: row });
    audit({
      event: "maintenance.updated",
      requestId,
      userId: user.id,
      sessionId,
      deviceId,
      orgId: activeOrgId,
      attributes: { enabled: String(enabled), ...(reason === null ? {} : { reason }) },
    });
  });
  await stored.changed("maintenance");
}

/** Answers for everything while maintenance is on (http-platform 3.8). Null = go on. */
export function maintenanceGate(ctx: Context, stored: Stored) {
  const { config } = ctx;
  const token = bypassToken(config);
  const cookieName = config.OA_MAINTENANCE_BYPASS_COOKIE_NAME;
  const on = () => config.OA_MAINTENANCE_MODE_ENABLED || stored.maintenance()?.enabled === true;
  const seconds = () => Math.floor(ctx.now().getTime() / 1000);

  const refuse = (request: Request, state: RequestState): Response => {
    const { path } = state;
    const row = stored.maintenance();
    const message = (row?.enabled && row.message) || usualMessage;
    const headers = {
      "retry-after": String(config.OA_MAINTENANCE_RETRY_AFTER_SECONDS),
      "cache-control": cacheControl,
      "x-oa-maintenance": "1",
    };
    const isApi = path === "/api" || path.startsWith("/api/");
    if ((isApi && !wantsHtml(request)) || jsonOnly.has(path) || path.startsWith("/assets/"))
      return failure(config, request, path, state, errorAnswer(503, "maintenance_mode", message, headers));
    state.errorCode = "maintenance_mode";
    const out = {
      ...baseHeaders(config, request, path, state),
      ...headers,
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": maintenancePolicy,
      "x-frame-options": "DENY",
    };
    return respond(request.method === "HEAD" ? null : maintenancePage(message), 503, out, state);
  };

  const letIn = async (
    request: Request,
    state: RequestState,
    asked: { token: string; rest: string },
  ): Promise<Response> => {
    const right = token !== null && sameText(asked.token, token);
    await countProof(ctx.throttle, state, ctx.now().getTime(), right);
    if (!right) return refuse(request, state);
    const ttl = config.OA_MAINTENANCE_BYPASS_COOKIE_TTL_SECONDS;
    const value = bypassValue(token, seconds() + ttl);
    const { scheme, host } = state.facts;
    const plain = scheme === "http" && /^(localhost|[^:]*\.localhost|127\.[\d.]+|\[::1\])(:\d+)?$/i.test(host);
    state.cookies ??= [];
    state.cookies.push(
      `${cookieName}=${value}; Path=/; HttpOnly;${plain ? "" : " Secure;"} SameSite=Lax; Max-Age=${ttl}`,
    );
    const location = `${state.path}${asked.rest}`.replace(/^\/+/, "/");
    return respond(null, 307, { ...baseHeaders(config, request, state.path, state), location }, state);
  };

  return {
    on,
    answer(request: Request, state: RequestState): Response | Promise<Response> | null {
      if (!on()) return null;
      const { path } = state;
      const row = stored.maintenance();
      const allowed = [
        ...always,
        ...config.OA_MAINTENANCE_ALLOWED_PATHS,
        ...((row?.enabled && row.allowedPaths) || []),
      ];
      if (isAllowed(path, allowed)) return null;
      const asked =
        token !== null && (request.method === "GET" || request.method === "HEAD") ? splitBypass(request.url) : null;
      if (asked) return letIn(request, state, asked);
      const cookie = state.facts.cookies[cookieName];
      if (token !== null && cookie !== undefined && isBypass(cookie, token, seconds())) return null;
      return refuse(request, state);
    },
  };
}
