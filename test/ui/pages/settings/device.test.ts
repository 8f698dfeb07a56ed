import { describe, expect, test } from "bun:test";
import { deviceOf, lastSeen } from "../../../../ui/pages/settings/device";

const row = (user_agent: string | null, token_name = "device:unknown") => ({
  user_agent,
  token_name,
  device_id: "web:0a1b",
});
const WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)";

describe("what a device is called", () => {
  test.each([
    [`Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) ${WEBKIT} Chrome/142.0.0.0 Safari/537.36`, "Chrome on macOS"],
    [`Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${WEBKIT} Chrome/142.0 Safari/537.36 Edg/142.0`, "Edge on Windows"],
    ["Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox on Linux"],
    ["Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605 Version/19.1 Safari/605", "Safari on macOS"],
    [`Mozilla/5.0 (X11; Linux x86_64) ${WEBKIT} HeadlessChrome/142.0 Safari/537.36`, "Headless Chrome on Linux"],
    [`Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) ${WEBKIT} Chrome/142.0 Safari/537.36`, "Chrome on ChromeOS"],
    ["curl/8.14.1", "curl"],
    ["Mozilla/5.0", "web:0a1b"],
    ["", "web:0a1b"],
    [null, "web:0a1b"],
  ])("%p is %s", (agent, name) => expect(deviceOf(row(agent))).toEqual({ name, form: "computer" }));

  test.each([
    [
      "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605 Version/19.1 Mobile/15E Safari/604",
      "Safari on iPhone",
    ],
    [`Mozilla/5.0 (Linux; Android 16; Pixel 10) ${WEBKIT} Chrome/142.0 Mobile Safari/537.36`, "Chrome on Android"],
    [
      "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605 CriOS/142.0 Mobile/15E Safari/604",
      "Chrome on iPhone",
    ],
  ])("%p is the phone %s", (agent, name) => expect(deviceOf(row(agent))).toEqual({ name, form: "phone" }));

  test("a client that names itself is called so, whatever its agent", () => {
    expect(deviceOf(row("okhttp/5", "mobile:autopilot-ios"))).toEqual({ name: "Autopilot for iOS", form: "phone" });
    expect(deviceOf(row(null, "desktop:autopilot-desktop")).name).toBe("Autopilot for desktop");
  });

  test("last seen is the newest of what is known", () => {
    const issued_at = "2026-02-19T12:00:00Z";
    expect(lastSeen({ issued_at, last_refreshed_at: null, last_used_at: null })).toBe(issued_at);
    expect(
      lastSeen({ issued_at, last_refreshed_at: "2026-02-19T13:00:00Z", last_used_at: "2026-02-19T12:30:00Z" }),
    ).toBe("2026-02-19T13:00:00Z");
  });
});
