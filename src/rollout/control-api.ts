import { Elysia } from "elysia";
import type { Context } from "../context";
import type { Caller } from "../http/caller";
import { platform } from "../http/platform";
import type { RouteTable } from "../http/routes";
import { stateOf } from "../http/state";
import { membershipsOf } from "../identity/memberships";
import { membershipView } from "../identity/organisations";
import { providerOf } from "../identity/providers";
import { auditTrail } from "../telemetry/audit";
import {
  AuditQuery,
  AuditTrail,
  ControlStatus,
  Maintenance,
  MaintenanceChange,
  SplitDecision,
  SplitOverride,
  SplitQuestion,
  SplitStatus,
  System,
} from "./contract";
import { controlWindow } from "./control-window";
import { maintenanceView, switchMaintenance } from "./maintenance";
import { decide, splitView } from "./route-split";
import { cohortKey } from "./split-gate";
import { overrideSplit } from "./split-override";
import type { Stored } from "./stored";
import { type SystemParts, systemView } from "./system";

export interface ControlParts extends SystemParts {
  stored: Stored;
  routes(): RouteTable;
}

const tags = ["Control"];

/** The control endpoints (http-platform 2.11). */
export const controlApi = (ctx: Context, parts: ControlParts) => {
  const { config } = ctx;
  const { stored, startedAt, executable, routes } = parts;
  const split = () => splitView(config, stored.overrides());
  const maintenance = () => ({ data: maintenanceView(ctx, stored, startedAt) });

  const status = async ({ user, activeOrgId }: Caller) => {
    const window = controlWindow(config);
    return {
      data: {
        service: "openagents-control-service" as const,
        authProvider: providerOf(config),
        activeOrgId,
        memberships: (await membershipsOf(ctx.db, user.id, user.email)).map(membershipView),
        compatibility: {
          protocolVersion: window.protocol,
          minClientBuildId: window.minBuildId,
          maxClientBuildId: window.maxBuildId,
          minSchemaVersion: window.minSchema,
          maxSchemaVersion: window.maxSchema,
        },
        routeSplit: split(),
        runtimeRouteOwnership: [...routes().values()]
          .filter(({ path }) => path.startsWith("/api/runtime/"))
          .map(({ method, path }) => ({
            method,
            path: path.replace(/:(\w+)/g, "{$1}"),
            owner: "control_service" as const,
            rationale: "One process serves the whole surface.",
          })),
        buildId: executable.buildId,
        maintenance: { enabled: maintenance().data.enabled },
      },
    };
  };

  return new Elysia({ name: "rollout" })
    .use(platform)
    .get("/api/v1/control/status", ({ caller }) => status(caller), {
      user: true,
      response: { 200: ControlStatus },
      detail: { operationId: "controlStatus", summary: "What this service is, and where its rollout stands", tags },
    })
    .get("/api/v1/control/route-split/status", () => ({ data: split() }), {
      user: true,
      response: { 200: SplitStatus },
      detail: { operationId: "controlRouteSplitStatus", summary: "Who serves which pages", tags },
    })
    .post(
      "/api/v1/control/route-split/override",
      async ({ caller, body, facts }) => {
        await overrideSplit(ctx, stored, caller, body, facts.requestId);
        return { data: split() };
      },
      {
        user: "admin",
        body: SplitOverride,
        response: { 200: SplitStatus },
        detail: { operationId: "controlRouteSplitOverride", summary: "Move pages to a target, or back", tags },
      },
    )
    .post(
      "/api/v1/control/route-split/evaluate",
      ({ request, body }) => ({
        data: decide(config, stored.overrides(), {
          path: body.path,
          key: body.cohort_key ?? cohortKey(request, stateOf(request)),
          isRequest: false,
        }),
      }),
      {
        user: true,
        body: SplitQuestion,
        response: { 200: SplitDecision },
        detail: { operationId: "controlRouteSplitEvaluate", summary: "Who would serve a path, and why", tags },
      },
    )
    .get("/api/v1/control/maintenance", maintenance, {
      user: "admin",
      response: { 200: Maintenance },
      detail: { operationId: "controlMaintenance", summary: "Whether maintenance is on", tags },
    })
    .post(
      "/api/v1/control/maintenance",
      async ({ caller, body, facts }) => {
        await switchMaintenance(ctx, stored, caller, body, facts.requestId);
        return maintenance();
      },
      {
        user: "admin",
        fails: [409],
        body: MaintenanceChange,
        response: { 200: Maintenance },
        detail: {
          operationId: "controlMaintenanceUpdate",
          summary: "Switch maintenance on or off, on all nodes",
          tags,
        },
      },
    )
    .get("/api/v1/control/system", async () => ({ data: await systemView(ctx, parts) }), {
      user: "admin",
      response: { 200: System },
      detail: { operationId: "controlSystem", summary: "Nodes, queues, topics and recent errors", tags },
    })
    .get(
      "/api/v1/control/audit",
      async ({ query }) => {
        const limit = query.limit ?? 50;
        const { before, event, user_id: userId } = query;
        const rows = await auditTrail(ctx.db, { event, userId, before, limit });
        const shown = rows.slice(0, limit);
        const last = shown.at(-1);
        return {
          data: shown.map((row) => ({
            id: row.id,
            event_name: row.eventName,
            request_id: row.requestId,
            outcome: row.outcome,
            occurred_at: `${row.occurredAt.toISOString().slice(0, 19)}Z`,
            ...(row.userId === null ? {} : { user_id: row.userId }),
            ...(row.sessionId === null ? {} : { session_id: row.sessionId }),
            ...(row.orgId === null ? {} : { org_id: row.orgId }),
            ...(row.deviceId === null ? {} : { device_id: row.deviceId }),
            ...(Object.keys(row.attributes).length ? { attributes: row.attributes } : {}),
          })),
          meta: { nextCursor: rows.length > limit && last ? last.id : null },
        };
      },
      {
        user: "admin",
        query: AuditQuery,
        response: { 200: AuditTrail },
        detail: { operationId: "controlAudit", summary: "The audit trail, the newest first", tags },
      },
    );
};
