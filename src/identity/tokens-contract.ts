import { type Static, t } from "elysia";
import { deviceId, short, sixDigit, words } from "./contract";

/** Wire shapes of personal access, Khala and sync tokens (auth.md 2.6, 2.8, 2.9). */

export const TokenItem = t.Object({
  id: t.Integer({ examples: [12] }),
  name: t.String({ examples: ["api-cli"] }),
  abilities: t.Array(t.String(), { examples: [["chat:read", "chat:write"]] }),
  lastUsedAt: t.Nullable(t.String({ examples: [sixDigit] })),
  expiresAt: t.Nullable(t.String()),
  createdAt: t.Nullable(t.String({ examples: [sixDigit] })),
  isCurrent: t.Boolean(),
});
export type TokenItem = Static<typeof TokenItem>;
export const TokenList = t.Object({ data: t.Array(TokenItem) });

const expiry = t.Optional(
  t.Nullable(
    t.Any({
      format: "date",
      description: "RFC 3339, YYYY-MM-DD or YYYY-MM-DD HH:MM[:SS], UTC without offset",
      examples: ["2026-02-26T12:00:00Z"],
    }),
  ),
);
export const NewToken = t.Object({
  name: t.String({ maxLength: 100, examples: ["api-cli"] }),
  abilities: words(100, ["chat:read", "chat:write"]),
  expires_at: expiry,
  expiresAt: expiry,
});

export const TokenCreated = t.Object({
  data: t.Object({
    token: t.String({ examples: ["12|AbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcdf8c8ab1e"] }),
    tokenableId: t.Integer({ examples: [7] }),
    name: t.String({ examples: ["api-cli"] }),
    abilities: t.Array(t.String(), { examples: [["*"]] }),
    expiresAt: t.Nullable(t.String({ examples: [sixDigit] })),
  }),
});

export const DeletedCount = t.Object(
  { data: t.Object({ deletedCount: t.Integer() }) },
  { examples: [{ data: { deletedCount: 2 } }] },
);

export const KhalaTokenRequest = t.Object({
  scope: words(120, ["codex:read", "codex:write"]),
  workspace_id: short(120, "workspace_42"),
  role: t.Optional(t.Nullable(t.Union([t.Literal("member"), t.Literal("admin"), t.Literal("owner")]))),
});

const tokenMembers = {
  token: t.String({ examples: ["eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.c2ln"] }),
  token_type: t.String({ examples: ["Bearer"] }),
  expires_in: t.Integer({ examples: [300] }),
  issued_at: t.String({ examples: ["2026-02-19T12:00:00+00:00"] }),
  expires_at: t.String({ examples: ["2026-02-19T12:05:00+00:00"] }),
  issuer: t.String(),
  audience: t.String(),
  subject: t.String({ examples: ["user:7"] }),
};

export const KhalaToken = t.Object({
  data: t.Object({
    ...tokenMembers,
    claims_version: t.String(),
    scope: t.Array(t.String()),
    workspace_id: t.Nullable(t.String()),
    role: t.Nullable(t.String()),
    kid: t.String(),
  }),
});

export const SyncTokenRequest = t.Object({
  scopes: words(120, ["runtime.codex_worker_events"]),
  topics: words(120, ["org:user:7:worker_events"]),
  ttl_seconds: t.Optional(t.Nullable(t.Integer({ examples: [300] }))),
  device_id: deviceId,
});

export const SyncToken = t.Object({
  data: t.Object({
    ...tokenMembers,
    org_id: t.String({ examples: ["user:7"] }),
    claims_version: t.String(),
    scopes: t.Array(t.String()),
    granted_topics: t.Array(t.Object({ topic: t.String(), required_scope: t.String() })),
    kid: t.String(),
    token_id: t.String(),
    session_id: t.String(),
    device_id: t.String(),
  }),
});
export type SyncToken = Static<typeof SyncToken>;
