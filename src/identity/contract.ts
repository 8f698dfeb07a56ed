import { type Static, t } from "elysia";

/** Wire shapes of sign-in, sessions, tokens, profile and organisations (auth.md 2). */

const email = t.String({ format: "email", maxLength: 255, examples: ["chris@openagents.com"] });
export const deviceId = t.Optional(
  t.Nullable(t.String({ description: "At most 160 of A-Z a-z 0-9 : . _ -", examples: ["ios:23b77335"] })),
);
const epoch = "2026-02-19T12:00:00Z";
export const sixDigit = "2026-02-19T12:00:00.000000Z";

export const CodeRequest = t.Object({ email });
export const CodeSent = t.Object(
  { ok: t.Boolean(), status: t.String(), email: t.String(), challengeId: t.String() },
  {
    examples: [
      {
        ok: true,
        status: "code-sent",
        email: "chris@openagents.com",
        challengeId: "challenge_00112233445566778899aabbccddeeff",
      },
    ],
  },
);
export type CodeSent = Static<typeof CodeSent>;

export const CodeCheck = t.Object({
  code: t.String({ minLength: 6, maxLength: 128, examples: ["123456"] }),
  challenge_id: t.Optional(t.Nullable(t.String({ description: "Else the cookie of the same browser." }))),
  challengeId: t.Optional(t.Nullable(t.String())),
  device_id: deviceId,
  deviceId: t.Optional(t.Nullable(t.String())),
});

export const SignedIn = t.Object(
  {
    ok: t.Boolean(),
    userId: t.String(),
    status: t.String(),
    user: t.Object({ id: t.Integer(), name: t.String(), email: t.String(), workosId: t.String() }),
    redirect: t.String(),
    tokenType: t.Optional(t.String()),
    token: t.Optional(t.String()),
    tokenName: t.Optional(t.String()),
    refreshToken: t.Optional(t.String()),
    refreshTokenId: t.Optional(t.String()),
    sessionId: t.String(),
    newUser: t.Boolean(),
  },
  {
    examples: [
      {
        ok: true,
        userId: "7",
        status: "authenticated",
        user: { id: 7, name: "Chris David", email: "chris@openagents.com", workosId: "user_abc123" },
        redirect: "/",
        tokenType: "Bearer",
        token: "oa_at_00112233445566778899aabbccddeeff",
        tokenName: "mobile:autopilot-ios",
        refreshToken: "oa_rt_00112233445566778899aabbccddeeff",
        refreshTokenId: "rtid_00112233445566778899aabbccddeeff",
        sessionId: "sess_0123456789abcdef0123456789abcdef",
        newUser: false,
      },
    ],
  },
);
export type SignedIn = Static<typeof SignedIn>;

export const short = (maxLength: number, example: string) =>
  t.Optional(t.Nullable(t.String({ maxLength, examples: [example] })));
export const words = (maxLength: number, examples: string[]) =>
  t.Optional(t.Nullable(t.Array(t.String({ maxLength }), { examples: [examples] })));

export const Registration = t.Object({
  email,
  name: short(120, "Staging User 1"),
  tokenName: short(120, "staging-e2e"),
  tokenAbilities: words(120, ["*"]),
  createAutopilot: t.Optional(t.Nullable(t.Boolean())),
  autopilotDisplayName: short(120, "Creator Agent"),
});

export const Registered = t.Object({
  data: t.Object({
    created: t.Boolean(),
    tokenType: t.String(),
    token: t.String({ examples: ["12|AbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcdf8c8ab1e"] }),
    tokenName: t.String(),
    tokenAbilities: t.Array(t.String()),
    user: t.Object({ id: t.Integer(), name: t.String(), email: t.String(), handle: t.Nullable(t.String()) }),
    autopilot: t.Nullable(t.Unknown()),
  }),
});

export const RefreshRequest = t.Object({
  refresh_token: t.Optional(t.Nullable(t.String({ description: "Else the bearer value, else the cookie." }))),
  device_id: deviceId,
  rotate_refresh_token: t.Optional(t.Nullable(t.Boolean({ description: "Only true is accepted." }))),
});

export const Refreshed = t.Object(
  {
    ok: t.Boolean(),
    status: t.String(),
    tokenType: t.Optional(t.String()),
    token: t.Optional(t.String()),
    refreshToken: t.Optional(t.String()),
    refreshTokenId: t.String(),
    replacedRefreshTokenId: t.String(),
    sessionId: t.String(),
    accessExpiresAt: t.String(),
    refreshExpiresAt: t.String(),
  },
  {
    examples: [
      {
        ok: true,
        status: "active",
        tokenType: "Bearer",
        token: "oa_at_00112233445566778899aabbccddeeff",
        refreshToken: "oa_rt_00112233445566778899aabbccddeeff",
        refreshTokenId: "rtid_00112233445566778899aabbccddeeff",
        replacedRefreshTokenId: "rtid_ffeeddccbbaa99887766554433221100",
        sessionId: "sess_0123456789abcdef0123456789abcdef",
        accessExpiresAt: "2026-02-19T13:00:00Z",
        refreshExpiresAt: "2026-03-21T12:00:00Z",
      },
    ],
  },
);
export type Refreshed = Static<typeof Refreshed>;

export const MembershipView = t.Object({
  org_id: t.String({ examples: ["user:7"] }),
  org_slug: t.String({ examples: ["user-7"] }),
  role: t.String({ examples: ["owner"] }),
  role_scopes: t.Array(t.String(), { examples: [["runtime.read"]] }),
  default_org: t.Boolean(),
});
export type MembershipView = Static<typeof MembershipView>;

/** State of the person's Codex account (auth.md 3.10); the Codex domain says it. */
export const CodexAccess = t.Object({
  status: t.String({ examples: ["ready"] }),
  workerId: t.Nullable(t.String({ examples: ["desktopw:shared"] })),
  account: t.Nullable(t.Object({ type: t.String(), email: t.Null(), planType: t.Nullable(t.String()) })),
  linkState: t.String({ examples: ["linked"] }),
  chatgptLinked: t.Boolean(),
  checkedAt: t.Nullable(t.String()),
  policy: t.String({ examples: ["chatgpt_required"] }),
});
export type CodexAccess = Static<typeof CodexAccess>;

export const SessionShow = t.Object({
  data: t.Object({
    session: t.Object({
      sessionId: t.String({ examples: ["sess_0123456789abcdef0123456789abcdef"] }),
      userId: t.String({ examples: ["7"] }),
      email: t.String(),
      deviceId: t.String(),
      status: t.String({ examples: ["active"] }),
      tokenName: t.String(),
      issuedAt: t.String({ examples: [epoch] }),
      accessExpiresAt: t.String({ examples: [epoch] }),
      refreshExpiresAt: t.String({ examples: [epoch] }),
      activeOrgId: t.String(),
      reauthRequired: t.Boolean(),
      lastRefreshedAt: t.Nullable(t.String()),
      revokedAt: t.Nullable(t.String()),
      revokedReason: t.Nullable(t.String()),
    }),
    user: t.Object({ id: t.String(), email: t.String(), name: t.String(), workosId: t.String() }),
    memberships: t.Array(MembershipView),
    isAdmin: t.Boolean(),
    codexAccess: CodexAccess,
  }),
});

export const SessionItem = t.Object({
  session_id: t.String({ examples: ["sess_0123456789abcdef0123456789abcdef"] }),
  user_id: t.String({ examples: ["7"] }),
  email: t.String(),
  device_id: t.String(),
  token_name: t.String(),
  status: t.String({ examples: ["active"] }),
  issued_at: t.String({ examples: [epoch] }),
  access_expires_at: t.String(),
  refresh_expires_at: t.String(),
  active_org_id: t.String(),
  reauth_required: t.Boolean(),
  last_refreshed_at: t.Nullable(t.String()),
  revoked_at: t.Nullable(t.String()),
  revoked_reason: t.Nullable(t.String()),
  last_used_at: t.Nullable(t.String()),
  user_agent: t.Nullable(t.String()),
});
export type SessionItem = Static<typeof SessionItem>;

export const SessionList = t.Object({
  data: t.Object({ currentSessionId: t.String(), sessions: t.Array(SessionItem) }),
});
export const SessionFilter = t.Object({ device_id: deviceId });

export const RevokeRequest = t.Object({
  session_id: t.Optional(t.Nullable(t.String())),
  device_id: deviceId,
  revoke_all_sessions: t.Optional(t.Nullable(t.Boolean())),
  include_current: t.Optional(t.Nullable(t.Boolean())),
  reason: t.Optional(t.Nullable(t.String({ examples: ["user_requested"] }))),
});

export const Revoked = t.Object({
  ok: t.Boolean(),
  revokedSessionIds: t.Array(t.String()),
  revokedDeviceIds: t.Array(t.String()),
  revokedRefreshTokenIds: t.Array(t.String()),
  reason: t.String({ examples: ["user_requested"] }),
  revokedAt: t.String({ examples: [epoch] }),
});

export const SignedOut = t.Object(
  { ok: t.Boolean(), status: t.String(), sessionId: t.String(), revokedAt: t.String() },
  { examples: [{ ok: true, status: "revoked", sessionId: "sess_0123456789abcdef0123456789abcdef", revokedAt: epoch }] },
);

export const MeQuery = t.Object({
  chat_limit: t.Optional(t.Any({ description: "1 to 200, default 50; anything else is brought into that range." })),
});

export const ChatThread = t.Object({
  id: t.String({ examples: ["thread_0123456789abcdef0123456789abcdef"] }),
  title: t.String({ examples: ["New conversation"] }),
  updatedAt: t.String({ examples: [sixDigit] }),
});
export type ChatThread = Static<typeof ChatThread>;

export const Me = t.Object({
  data: t.Object({
    user: t.Object({
      id: t.Integer({ examples: [7] }),
      name: t.String({ examples: ["Chris David"] }),
      email: t.String({ examples: ["chris@openagents.com"] }),
      handle: t.Nullable(t.String({ examples: ["chris"] })),
      avatar: t.String({ examples: [""] }),
      createdAt: t.Nullable(t.String({ examples: [sixDigit] })),
      updatedAt: t.Nullable(t.String({ examples: [sixDigit] })),
      workosId: t.String({ examples: ["user_abc123"] }),
    }),
    chatThreads: t.Array(ChatThread),
    isAdmin: t.Boolean(),
    codexAccess: CodexAccess,
  }),
});
export type Me = Static<typeof Me>;

const profileMembers = {
  id: t.Integer({ examples: [7] }),
  name: t.String({ examples: ["Chris David"] }),
  email: t.String({ examples: ["chris@openagents.com"] }),
  avatar: t.String({ examples: [""] }),
};
const stamp = t.Nullable(t.String({ examples: [sixDigit] }));
export const Profile = t.Object({ data: t.Object({ ...profileMembers, createdAt: stamp, updatedAt: stamp }) });
export const ProfileUpdated = t.Object({ data: t.Object({ ...profileMembers, updatedAt: stamp }) });
export const Deleted = t.Object(
  { data: t.Object({ deleted: t.Boolean() }) },
  { examples: [{ data: { deleted: true } }] },
);
export const ProfileUpdate = t.Object({ name: t.String({ maxLength: 255, examples: ["Chris David"] }) });
export const ProfileDeletion = t.Object({ email: t.String({ format: "email", examples: ["chris@openagents.com"] }) });
/** On the web route the address need not be sent, but if it is, it must be the right one. */
export const WebDeletion = t.Object({ email: t.Optional(t.Nullable(t.String({ format: "email" }))) });

export const Memberships = t.Object({
  data: t.Object({ activeOrgId: t.String(), memberships: t.Array(MembershipView) }),
});
export const ActiveOrgChoice = t.Object({
  org_id: t.String({ "oa:message": { required: "Organization id is required." }, examples: ["org:openagents"] }),
});
export const ActiveOrg = t.Object({ ok: t.Boolean(), activeOrgId: t.String(), memberships: t.Array(MembershipView) });

export const PolicyQuestion = t.Object({
  org_id: t.Optional(t.Nullable(t.String({ examples: ["org:openagents"] }))),
  required_scopes: t.Optional(t.Nullable(t.Array(t.Nullable(t.String()), { examples: [["runtime.read"]] }))),
  requested_topics: t.Optional(t.Nullable(t.Array(t.Nullable(t.String()), { examples: [["org:openagents:workers"]] }))),
});
export const PolicyAnswer = t.Object(
  {
    data: t.Object({
      allowed: t.Boolean(),
      resolved_org_id: t.String(),
      granted_scopes: t.Array(t.String()),
      denied_reasons: t.Array(t.String()),
    }),
  },
  {
    examples: [
      {
        data: {
          allowed: false,
          resolved_org_id: "org:openagents",
          granted_scopes: [],
          denied_reasons: ["scope_denied:runtime.write"],
        },
      },
    ],
  },
);

export const Invite = t.Object({ email, name: short(120, "Ana"), admin: t.Optional(t.Nullable(t.Boolean())) });
export const Invited = t.Object({
  data: t.Object({
    url: t.String({ examples: ["https://openagents.test/login/link/oa_ll_…"] }),
    expiresAt: t.String({ examples: [epoch] }),
  }),
});
