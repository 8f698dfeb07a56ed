import { type Static, t } from "elysia";

const Target = t.Union([t.Literal("legacy"), t.Literal("rust_shell")]);
const MaybeTarget = t.Union([Target, t.Null()], { examples: [null] });
const Maybe = t.Union([t.String(), t.Null()], { examples: [null] });

const Split = t.Object({
  enabled: t.Boolean({ examples: [true] }),
  mode: t.Union([t.Literal("legacy"), t.Literal("rust"), t.Literal("cohort")], { examples: ["rust"] }),
  cohort_percentage: t.Integer({ examples: [100] }),
  rust_routes: t.Array(t.String(), { examples: [["/"]] }),
  force_legacy: t.Boolean({ examples: [false] }),
  legacy_base_url: Maybe,
  override_target: MaybeTarget,
  route_groups: t.Array(
    t.Object({
      domain: t.String({ examples: ["auth_entry"] }),
      route_prefixes: t.Array(t.String(), { examples: [["/login", "/register", "/authenticate", "/onboarding"]] }),
      rollback_target: Target,
      override_target: MaybeTarget,
    }),
  ),
  rollback_matrix: t.Record(t.String(), Target, { examples: [{ auth_entry: "legacy", chat_pilot: "rust_shell" }] }),
  domain_overrides: t.Record(t.String(), Target, { examples: [{}] }),
});

/** S of http-platform 3.12. */
export const SplitStatus = t.Object({ data: Split });

export const SplitOverride = t.Object({
  target: t.Optional(t.Any({ description: "legacy, rust, rollback or clear", examples: ["rollback"] })),
  domain: t.Optional(t.Any({ description: "a route group; without it everything", examples: ["billing_l402"] })),
});

export const SplitQuestion = t.Object({
  path: t.String({
    examples: ["/settings/profile"],
    "oa:message": { required: "Path is required.", string: "Path is required." },
  }),
  cohort_key: t.Optional(t.Union([t.String(), t.Null()], { examples: ["user:7"] })),
});

/** D of http-platform 3.12. */
export const SplitDecision = t.Object({
  data: t.Object({
    path: t.String({ examples: ["/settings/profile"] }),
    target: Target,
    reason: t.String({ examples: ["mode_rust"] }),
    route_domain: t.String({ examples: ["account_settings_admin"] }),
    rollback_target: Target,
    cohort_bucket: t.Optional(t.Integer({ examples: [11] })),
    cohort_key: t.String({ examples: ["user:7"] }),
  }),
});

export const MaintenanceChange = t.Object({
  enabled: t.Boolean({ examples: [true] }),
  reason: t.Optional(t.Union([t.String({ maxLength: 255 }), t.Null()], { examples: ["Database move"] })),
  message: t.Optional(t.Union([t.String({ maxLength: 500 }), t.Null()], { examples: ["Back at noon UTC."] })),
  allowed_paths: t.Optional(
    t.Union([t.Array(t.String({ maxLength: 255 }), { maxItems: 20 }), t.Null()], { examples: [["/api/me"]] }),
  ),
});
export type MaintenanceChange = Static<typeof MaintenanceChange>;

export const Maintenance = t.Object({
  data: t.Object({
    enabled: t.Boolean({ examples: [false] }),
    source: t.Union([t.Literal("off"), t.Literal("env"), t.Literal("stored")], { examples: ["off"] }),
    since: Maybe,
    reason: Maybe,
    by: t.Union([t.Integer(), t.Null()], { description: "id of the user who switched it", examples: [null] }),
    bypassConfigured: t.Boolean({ examples: [false] }),
    allowedPaths: t.Array(t.String(), { examples: [["/healthz", "/readyz"]] }),
  }),
});

export const ControlStatus = t.Object({
  data: t.Object({
    service: t.Literal("openagents-control-service"),
    authProvider: t.String({ examples: ["workos"] }),
    activeOrgId: t.String({ examples: ["user:7"] }),
    memberships: t.Array(
      t.Object({
        org_id: t.String({ examples: ["user:7"] }),
        org_slug: t.String({ examples: ["user-7"] }),
        role: t.String({ examples: ["owner"] }),
        role_scopes: t.Array(t.String()),
        default_org: t.Boolean({ examples: [true] }),
      }),
    ),
    compatibility: t.Object({
      protocolVersion: t.String({ examples: ["openagents.control.v1"] }),
      minClientBuildId: t.String({ examples: ["00000000T000000Z"] }),
      maxClientBuildId: Maybe,
      minSchemaVersion: t.Integer({ examples: [1] }),
      maxSchemaVersion: t.Integer({ examples: [1] }),
    }),
    routeSplit: Split,
    runtimeRouteOwnership: t.Array(
      t.Object({
        method: t.String({ examples: ["POST"] }),
        path: t.String({ examples: ["/api/runtime/tools/execute"] }),
        owner: t.Literal("control_service"),
        rationale: t.String({ examples: ["One process serves the whole surface."] }),
      }),
    ),
    buildId: t.String({ examples: ["20261123T210000Z"] }),
    maintenance: t.Object({ enabled: t.Boolean({ examples: [false] }) }),
  }),
});

export const System = t.Object({
  data: t.Object({
    buildId: t.String({ examples: ["20261123T210000Z"] }),
    version: t.String({ examples: ["1.0.0"] }),
    uptimeSeconds: t.Integer({ examples: [42] }),
    nodes: t.Array(
      t.Object({
        id: t.String({ examples: ["node-1"] }),
        buildId: t.String({ examples: ["20261123T210000Z"] }),
        startedAt: t.String({ examples: ["2026-11-23T21:00:00.000Z"] }),
        seenAt: t.String({ examples: ["2026-11-23T21:00:42.000Z"] }),
      }),
    ),
    database: t.Object({
      kind: t.Union([t.Literal("pglite"), t.Literal("postgres")]),
      schema: t.Integer({ examples: [1] }),
    }),
    khala: t.Object({
      sockets: t.Integer({ examples: [3] }),
      topics: t.Array(
        t.Object({
          topic: t.String({ examples: ["user:7:codex"] }),
          head: t.Integer({ examples: [120] }),
          floor: t.Integer({ examples: [0] }),
        }),
      ),
    }),
    jobs: t.Array(
      t.Object({
        kind: t.String({ examples: ["auth.prune"] }),
        queued: t.Integer({ examples: [0] }),
        running: t.Integer({ examples: [0] }),
        dead: t.Integer({ examples: [0] }),
        lagSeconds: t.Number({ examples: [0] }),
      }),
    ),
    errors: t.Array(
      t.Object({
        at: t.String({ examples: ["2026-11-23T21:00:12.345Z"] }),
        route: t.String({ examples: ["/api/me"] }),
        status: t.Integer({ examples: [500] }),
        code: Maybe,
        requestId: t.String({ examples: ["3f6f0a3e-6f0e-4a3e-8b43-6c7f2f2d6a11"] }),
      }),
    ),
  }),
});

export const AuditQuery = t.Object({
  limit: t.Optional(t.Integer({ minimum: 1, maximum: 200, examples: [50] })),
  before: t.Optional(t.Integer({ minimum: 1, examples: [1000] })),
  event: t.Optional(t.String({ maxLength: 120, examples: ["auth.*"] })),
  user_id: t.Optional(t.Integer({ minimum: 1, examples: [7] })),
});

export const AuditTrail = t.Object({
  data: t.Array(
    t.Object({
      id: t.Integer({ examples: [120] }),
      event_name: t.String({ examples: ["profile.updated"] }),
      request_id: t.String({ examples: ["3f6f0a3e-6f0e-4a3e-8b43-6c7f2f2d6a11"] }),
      outcome: t.String({ examples: ["success"] }),
      occurred_at: t.String({ examples: ["2026-11-23T21:00:12Z"] }),
      user_id: t.Optional(t.Integer({ examples: [7] })),
      session_id: t.Optional(t.String()),
      org_id: t.Optional(t.String()),
      device_id: t.Optional(t.String()),
      attributes: t.Optional(t.Record(t.String(), t.String(), { examples: [{ source: "api" }] })),
    }),
  ),
  meta: t.Object({ nextCursor: t.Union([t.Integer(), t.Null()], { examples: [null] }) }),
});

export const Smoke = t.Object({
  data: t.Object({
    status: t.Literal("ok"),
    stream_protocol: t.Literal("khala_ws"),
    delivery: t.Object({
      transport: t.Literal("khala_ws"),
      topic: t.Literal("runtime.codex_worker_events"),
      scope: t.Literal("runtime.codex_worker_events"),
      syncTokenRoute: t.Literal("/api/sync/token"),
      sseEnabled: t.Literal(false),
    }),
    event_contract: t.Object({
      chat: t.Array(t.String(), { examples: [["turn.start", "turn.finish", "turn.error", "turn.tool"]] }),
      worker: t.Array(t.String(), { examples: [["worker.event", "worker.response", "worker.stopped"]] }),
    }),
  }),
});
