import type { Config } from "../config";
import type { Context } from "../context";
import { failure } from "../http/answer";
import { errorAnswer } from "../http/errors";
import type { RequestState } from "../http/state";
import { type ClientFacts, incompatibility, type Window } from "../khala/compatibility";

/** Clients that the control endpoints speak with (auth 3.13). */
export const controlWindow = (config: Config): Window => ({
  enforced: config.OA_COMPAT_CONTROL_ENFORCED,
  protocol: config.OA_COMPAT_CONTROL_PROTOCOL_VERSION,
  minBuildId: config.OA_COMPAT_CONTROL_MIN_CLIENT_BUILD_ID,
  maxBuildId: config.OA_COMPAT_CONTROL_MAX_CLIENT_BUILD_ID,
  minSchema: config.OA_COMPAT_CONTROL_MIN_SCHEMA_VERSION,
  maxSchema: Math.max(config.OA_COMPAT_CONTROL_MAX_SCHEMA_VERSION, config.OA_COMPAT_CONTROL_MIN_SCHEMA_VERSION),
});

const isGated = (path: string): boolean =>
  path.startsWith("/api/v1/control/") || path === "/api/v1/sync/token" || path === "/api/v1/sync/token/";

function clientOf({ headers }: Request): ClientFacts {
  const schema = headers.get("x-oa-schema-version")?.trim() ?? "";
  return {
    client: headers.get("x-client")?.trim() || "unknown",
    buildId: headers.get("x-oa-client-build-id")?.trim() ?? "",
    protocol: headers.get("x-oa-protocol-version")?.trim() ?? "",
    schema: /^\d{1,9}$/.test(schema) ? Number(schema) : 0,
  };
}

/** Turns clients away that are too old or too new for the control endpoints: 426 (auth 3.13). Null = go on. */
export function compatibilityGate(ctx: Context) {
  const window = controlWindow(ctx.config);
  const note = (state: RequestState, client: ClientFacts, code: string) => {
    ctx.metrics.count("compatibility_rejections_total", { surface: "control_api", code });
    ctx.metrics.event("compatibility.rejected.control");
    ctx.metrics.event(`compatibility.rejected.control.${code}`);
    const attributes = {
      surface: "control_api",
      path: state.path,
      client: client.client.slice(0, 255),
      client_build_id: client.buildId.slice(0, 255) || "missing",
      code,
      protocol_version: client.protocol.slice(0, 255) || "missing",
    };
    const { requestId } = state.facts;
    return ctx.commit(async ({ audit }) =>
      audit({ event: "compatibility.rejected", requestId, outcome: "rejected", attributes }),
    );
  };
  return (request: Request, state: RequestState): Promise<Response> | null => {
    if (!window.enforced || !isGated(state.path)) return null;
    const client = clientOf(request);
    const found = incompatibility(client, window, "control_api");
    if (!found) return null;
    const headers: Record<string, string> = {
      "x-oa-compatibility-code": found.code,
      "x-oa-compatibility-upgrade-required": "true",
      "x-oa-compatibility-protocol-version": window.protocol,
      "x-oa-compatibility-min-client-build-id": window.minBuildId,
      ...(window.maxBuildId === null ? {} : { "x-oa-compatibility-max-client-build-id": window.maxBuildId }),
      "x-oa-compatibility-min-schema-version": String(window.minSchema),
      "x-oa-compatibility-max-schema-version": String(window.maxSchema),
    };
    const answer = errorAnswer(426, found.code, found.message, headers);
    answer.body.compatibility = found;
    const refuse = () => failure(ctx.config, request, state.path, state, answer);
    return note(state, client, found.code).then(refuse, (error: unknown) => {
      ctx.log.warn("oa.compatibility", "a rejection was not audited", { error_message: String(error) });
      return refuse();
    });
  };
}
