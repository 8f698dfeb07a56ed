import { expect, test } from "bun:test";
import { accessOf, composerRules, quickPrompts } from "../../../ui/pages/home/access";
import type { Session } from "../../../ui/session";

const user = (status: "ready" | "worker_offline" | "no_worker" | "not_linked"): Session => ({
  kind: "user",
  isAdmin: false,
  user: { id: 1, name: "Ana", email: "a@b.c", handle: null, avatar: "" },
  codexAccess: { status, workerId: null, account: null, chatgptLinked: false },
});

test.each([
  [{ kind: "unknown" } as Session, "unknown"],
  [{ kind: "guest" } as Session, "guest"],
  [user("ready"), "ready"],
  [user("no_worker"), "no_worker"],
  [user("not_linked"), "not_linked"],
  [user("worker_offline"), "worker_offline"],
] as const)("%p is %s", (session, access) => expect(accessOf(session)).toBe(access));

test.each([
  ["guest", "Sign in to chat", false, false],
  ["no_worker", "Connect a worker to chat", false, false],
  ["not_linked", "Link ChatGPT to chat", false, false],
  ["worker_offline", "Message Codex", true, false],
  ["ready", "Message Codex", true, true],
] as const)("the composer of %s", (access, placeholder, typing, sending) =>
  expect(composerRules(access)).toEqual({ placeholder, typing, sending }),
);

test("quick prompts per state", () => {
  expect(quickPrompts("guest")).toEqual({
    enabled: true,
    texts: [
      "What tools do you have?",
      "How do I create an account?",
      "What can you do with bitcoin?",
      "Explain what you can do with the OpenAgents API",
    ],
  });
  expect(quickPrompts("ready").texts[1]).toBe("Make a test OpenAgents API call");
  expect(quickPrompts("worker_offline").enabled).toBe(false);
  expect(quickPrompts("no_worker").texts).toEqual([]);
  expect(quickPrompts("not_linked").texts).toEqual([]);
});
