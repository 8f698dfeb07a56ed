import { describe, expect, test } from "bun:test";
import { canonical, documentTitle, intent, match, parse, returnPath, threadPath } from "../../../ui/shell/routes";

describe("routes", () => {
  test.each([
    ["/", "home", {}],
    ["/chat/thread_1", "thread", { threadId: "thread_1" }],
    ["/chat/desktopw%3Aa%2Fb%25", "thread", { threadId: "desktopw:a/b%" }],
    ["/login", "login", {}],
    ["/login/link/oa_ll_x-y_z", "login-link", { token: "oa_ll_x-y_z" }],
    ["/pair", "pair", {}],
    ["/settings/profile", "settings-profile", {}],
    ["/settings/sessions", "settings-sessions", {}],
    ["/settings/tokens", "settings-tokens", {}],
    ["/admin", "admin", {}],
  ] as const)("%s is %s", (pathname, page, params) => {
    expect(parse(pathname)).toMatchObject({ page, params });
  });

  test.each([
    "/nowhere",
    "/aui",
    "/aui/x",
    "/chat/a/b",
    "/chat/%zz",
    "/login/link",
    "/settings/nothing",
    "/settings/profile/x",
    "/l402",
    "/admin/workers/x",
    "/feed",
    "//",
  ])("%s is no page", (pathname) => {
    expect(match(pathname)).toBeNull();
    if (pathname !== "//") expect(parse(pathname).page).toBe("not-found");
  });

  test.each([
    ["/chat", "/"],
    ["/register", "/login"],
    ["/authenticate", "/login"],
    ["/settings", "/settings/profile"],
    ["/settings/", "/settings/profile"],
    ["/pair/", "/pair"],
    ["/", "/"],
    ["/chat/x/", "/chat/x"],
  ])("%s is known as %s", (from, to) => expect(canonical(from)).toBe(to));

  test("a thread id with reserved characters is encoded once and decoded once", () => {
    const id = "thread:a/b?c#d%20 ü";
    expect(parse(threadPath(id)).params.threadId).toBe(id);
  });

  test.each([
    ["", "OpenAgents"],
    ["OpenAgents", "OpenAgents"],
    ["Log in", "Log in - OpenAgents"],
  ])("title %p", (title, shown) => expect(documentTitle(title, "OpenAgents")).toBe(shown));

  test("which pages need what", () => {
    const needs = (path: string) => parse(path).needs;
    expect(["/", "/chat/x", "/pair", "/login", "/settings/tokens", "/admin"].map(needs)).toEqual([
      "nothing",
      "session",
      "session",
      "guest",
      "session",
      "admin",
    ]);
  });
});

describe("the return path", () => {
  test.each(["/", "/pair?code=WDJB-MJHT", "/chat/thread_1#item-2", "/admin", "/settings/tokens"])(
    "%s is kept",
    (value) => expect(returnPath(value)).toBe(value),
  );
  test.each([
    null,
    "",
    "//evil.example",
    "/\\evil.example",
    "https://evil.example",
    "javascript:alert(1)",
    "/login",
    "/login/link/x",
    "/nowhere",
    "/api/me",
    "pair",
    "/\n/evil.example",
  ])("%p is refused", (value) => expect(returnPath(value)).toBeNull());
});

describe("which clicks are navigations", () => {
  const click = { defaultPrevented: false, button: 0, metaKey: false, ctrlKey: false, shiftKey: false, altKey: false };
  const anchor = (href: string | null, more = {}) => ({ href, target: null, download: false, ...more });
  const base = "https://oa.test/chat/a?x=1";

  test.each([
    ["/pair", "/pair"],
    ["/pair?code=A#b", "/pair?code=A#b"],
    ["https://oa.test/", "/"],
    ["/chat", "/chat"],
    ["b", "/chat/b"],
  ])("%s goes to %s", (href, to) => expect(intent(click, anchor(href), base)).toBe(to));

  test.each([
    "#top",
    "",
    "https://other.test/pair",
    "/openapi.json",
    "/aui",
    "/api/docs",
    "/internal/x",
    "/settings/integrations/google/redirect",
    "/unknown",
    "mailto:a@b.co",
    "javascript:alert(1)",
    "http://[",
  ])("%s is the browser's", (href) => expect(intent(click, anchor(href), base)).toBeNull());

  test.each([
    { button: 1 },
    { metaKey: true },
    { ctrlKey: true },
    { shiftKey: true },
    { altKey: true },
    { defaultPrevented: true },
  ])("a click with %p is the browser's", (change) =>
    expect(intent({ ...click, ...change }, anchor("/pair"), base)).toBeNull(),
  );

  test("target and download are the browser's, _self is ours", () => {
    expect(intent(click, anchor("/pair", { target: "_blank" }), base)).toBeNull();
    expect(intent(click, anchor("/pair", { download: true }), base)).toBeNull();
    expect(intent(click, anchor("/pair", { target: "_self" }), base)).toBe("/pair");
    expect(intent(click, null, base)).toBeNull();
  });
});
