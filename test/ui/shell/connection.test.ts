import { expect, test } from "bun:test";
import { describe as words } from "../../../ui/shell/connection";

test.each([
  [{ kind: "idle" }, false, "Idle"],
  [{ kind: "connecting" }, false, "Connecting"],
  [{ kind: "replaying", done: 120, total: 340 }, false, "Replaying 120/340"],
  [{ kind: "replaying", done: 0, total: 0 }, false, "Replaying"],
  [{ kind: "live" }, false, "Live"],
  [{ kind: "backoff", until: 1, attempt: 1 }, false, "Reconnecting"],
  [{ kind: "stopped", why: "signed_out" }, false, "Disconnected"],
  [{ kind: "live" }, true, "Offline"],
] as const)("%p, offline %p: %s", (link, offline, word) => expect(words(link, offline).word).toBe(word));
