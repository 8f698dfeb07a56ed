import { expect, test } from "bun:test";
import type { SessionItem } from "../../../../src/identity/contract";
import { stepsDone } from "../../../../ui/pages/settings/codex-connection";
import { nameProblem } from "../../../../ui/pages/settings/profile";
import { activeSessions } from "../../../../ui/pages/settings/sessions";
import { isWorkerToken } from "../../../../ui/pages/settings/tokens";

test.each([
  ["Ana", null],
  [" ", "Profile name is required."],
  ["x".repeat(255), null],
  ["😀".repeat(255), null],
  ["x".repeat(256), "Profile name may not be greater than 255 characters."],
])("the name %p", (name, problem) => expect(nameProblem(name)).toBe(problem));

test("sessions: only active ones, this one first, then by last use", () => {
  const one = (session_id: string, status: string, last_used_at: string | null) =>
    ({ session_id, status, last_used_at, last_refreshed_at: null, issued_at: "2026-02-01T00:00:00Z" }) as SessionItem;
  const sessions = [
    one("revoked", "revoked", "2026-02-19T12:00:00Z"),
    one("old", "active", null),
    one("new", "active", "2026-02-19T12:00:00Z"),
    one("this", "active", "2026-02-10T12:00:00Z"),
    one("expired", "expired", "2026-02-19T12:00:00Z"),
  ];
  expect(activeSessions({ currentSessionId: "this", sessions }).map(({ session_id }) => session_id)).toEqual([
    "this",
    "new",
    "old",
  ]);
});

test.each([
  ["no_worker", false, false, { paired: false, live: false, linked: false }],
  ["worker_offline", true, false, { paired: true, live: false, linked: true }],
  ["not_linked", false, true, { paired: true, live: true, linked: false }],
  // no ChatGPT is asked for: ready without it
  ["ready", false, true, { paired: true, live: true, linked: true }],
] as const)("set-up of %s ticks itself", (status, chatgptLinked, live, steps) =>
  expect(stepsDone({ status, chatgptLinked }, live)).toEqual(steps),
);

test("a paired machine's token is told apart", () => {
  expect(isWorkerToken({ abilities: ["codex:worker"] })).toBe(true);
  expect(isWorkerToken({ abilities: ["*"] })).toBe(false);
  expect(isWorkerToken({ abilities: ["codex:worker", "chat:read"] })).toBe(false);
});
