import { type Static, t } from "elysia";

/** Wire shapes of pairing a machine (remote-control.md 2). */

const text = (maxLength: number, example: string) => t.String({ maxLength, examples: [example] });

export const PairDevice = t.Object({
  name: text(80, "MacBook"),
  hostname: text(120, "macbook.local"),
  platform: text(40, "darwin arm64"),
  codex_version: text(40, "0.169.0"),
  bridge_version: text(40, "1.0.0"),
  worker_id: t.Optional(t.Nullable(text(160, "desktopw:macbook"))),
});
export type PairDevice = Static<typeof PairDevice>;

export const PairStarted = t.Object(
  {
    device_code: t.String(),
    user_code: t.String(),
    verification_uri: t.String(),
    verification_uri_complete: t.String(),
    expires_in: t.Integer(),
    interval: t.Integer(),
  },
  {
    examples: [
      {
        device_code: "oa_dc_…",
        user_code: "WDJB-MJHT",
        verification_uri: "https://openagents.test/pair",
        verification_uri_complete: "https://openagents.test/pair?code=WDJB-MJHT",
        expires_in: 600,
        interval: 2,
      },
    ],
  },
);
export type PairStarted = Static<typeof PairStarted>;

/** Checked by the route itself: its errors have the RFC's shape. */
export const PairPoll = t.Object({
  device_code: t.Optional(t.Any({ examples: ["oa_dc_…"] })),
  grant_type: t.Optional(t.Any({ examples: ["urn:ietf:params:oauth:grant-type:device_code"] })),
});

export const PairToken = t.Object(
  {
    access_token: t.String(),
    token_type: t.String(),
    worker_id: t.String(),
    user: t.Object({ id: t.Integer(), name: t.String() }),
  },
  {
    examples: [
      { access_token: "12|…", token_type: "Bearer", worker_id: "desktopw:macbook", user: { id: 1, name: "Ana" } },
    ],
  },
);
export type PairToken = Static<typeof PairToken>;

export const PairError = t.Object(
  { error: t.String(), error_description: t.String(), message: t.String() },
  {
    examples: [
      {
        error: "authorization_pending",
        error_description: "The code has not been allowed yet.",
        message: "The code has not been allowed yet.",
      },
    ],
  },
);
export type PairError = Static<typeof PairError>;

export const PairShown = t.Object({
  data: t.Object({
    user_code: t.String({ examples: ["WDJB-MJHT"] }),
    name: t.String({ examples: ["MacBook"] }),
    hostname: t.String({ examples: ["macbook.local"] }),
    platform: t.String({ examples: ["darwin arm64"] }),
    codex_version: t.String({ examples: ["0.169.0"] }),
    ip_address: t.String({ examples: ["203.0.113.10"] }),
    requested_at: t.String({ examples: ["2026-02-19T12:00:00Z"] }),
    expires_at: t.String({ examples: ["2026-02-19T12:10:00Z"] }),
    worker_id: t.String({ examples: ["desktopw:macbook"] }),
  }),
});
export type PairShown = Static<typeof PairShown>;

export const PairApproval = t.Object({
  name: t.Optional(t.Nullable(text(80, "MacBook"))),
  workspace_note: t.Optional(t.Nullable(text(255, "~/code"))),
});

export const PairApproved = t.Object(
  { data: t.Object({ status: t.String(), worker_id: t.String() }) },
  { examples: [{ data: { status: "approved", worker_id: "desktopw:macbook" } }] },
);
export const PairDenied = t.Object(
  { data: t.Object({ status: t.String() }) },
  { examples: [{ data: { status: "denied" } }] },
);
