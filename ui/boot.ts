import { effect } from "@preact/signals";
import { forgetDrafts } from "./composer/drafts";
import { watchOutbox } from "./composer/outbox";
import { booted, expose, measured, noteError, phase } from "./diagnostics";
import { watchConnection } from "./khala/topics";
import { startClock } from "./parts/clock";
import { copy } from "./parts/copy";
import { toast } from "./parts/toast";
import {
  type Ending,
  initialChats,
  isAdmin,
  load,
  onSignedIn,
  onSignedOut,
  session,
  user,
  watchSession,
} from "./session";
import { chats, watchChats } from "./shell/chats";
import { offer } from "./shell/commands";
import { focusComposer, overlay, watchKeys } from "./shell/keys";
import { watchMachines } from "./shell/machines";
import { canNotify, notices, toggleNotices, watchNotices } from "./shell/notices";
import { watchPrefetch } from "./shell/prefetch";
import { entry, navigate, startRouter, unsaved } from "./shell/router";
import { threadPath } from "./shell/routes";
import { toggleSidebar, watchSidebar } from "./shell/sidebar-state";
import { chooseAppearance, watchTheme } from "./shell/theme";
import { watchUpdates } from "./shell/updates";
import { recoveries, watchNetwork } from "./status";
import { track, trackView, watchTelemetry } from "./telemetry/track";

const FORCED = "forced startup failure because query contains oa_boot_fail=1";
const SLOW_MS = 4000;

/** The status of the document itself: the server's word on 403, 404 and 500 (http-platform 2.8). */
const documentStatus = (): number => {
  const [entry] = performance.getEntriesByType("navigation") as (PerformanceNavigationTiming & {
    responseStatus?: number;
  })[];
  return entry?.responseStatus ?? 0;
};

/** Starts the app once: listeners, route, first render, then who this is and whether the build fits (web-ui 2.6). */
export function boot(render: () => void) {
  expose();
  booted();
  const slow = setTimeout(() => tell("Still loading…"), SLOW_MS);
  try {
    if (new URLSearchParams(location.search).get("oa_boot_fail") === "1") throw new Error(FORCED);
    watchTheme();
    watchSidebar();
    watchSession();
    watchConnection();
    watchChats();
    watchMachines();
    watchOutbox();
    watchNetwork();
    watchTelemetry();
    watchPrefetch();
    watchNotices();
    watchKeys();
    startClock();
    offerCommands();
    announceEndings();
    startRouter(documentStatus());
    trackPages();
    render();
    measured("firstRenderMs");
  } catch (error) {
    clearTimeout(slow);
    fail(error);
    return;
  }
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", () => measured("domReadyMs"));
  else measured("domReadyMs");

  retryOnReturn();
  void Promise.all([load(), watchUpdates()]).then(() => {
    clearTimeout(slow);
    phase(session.value.kind === "unreachable" ? "error" : "ready");
    measured("bootTotalMs");
  });
}

/** Which page was opened, once the session is known; the views after the first are not the server's to see. */
function trackPages() {
  let first = true;
  let last = "";
  effect(() => {
    const key = entry.value;
    if (session.value.kind === "unknown" || session.value.kind === "unreachable" || key === last) return;
    last = key;
    if (!first) trackView();
    first = false;
    track("sidebar.page_opened", {
      path: location.pathname,
      isAuthenticated: user.peek() !== null,
      isAdmin: isAdmin.peek(),
      threadCount: initialChats.peek().length,
    });
  });
}

function tell(text: string) {
  const place = document.getElementById("oa-boot-status");
  if (place) place.textContent = text;
}

function fail(error: unknown) {
  noteError(error);
  phase("error");
  tell(`Boot error: ${error instanceof Error ? error.message : String(error)}`);
}

/** A start without network becomes a start as soon as the server answers. */
function retryOnReturn() {
  let seen = recoveries.peek();
  effect(() => {
    if (recoveries.value === seen) return;
    seen = recoveries.value;
    if (session.peek().kind === "unreachable") void load();
  });
}

const ENDINGS: Record<Ending, string> = {
  logout: "Signed out.",
  elsewhere: "Signed out.",
  deleted: "Profile deleted.",
  expired: "Session expired. Sign in again.",
};

function announceEndings() {
  onSignedOut.push((why) => {
    if (why !== "expired") forgetDrafts();
    unsaved.value = false;
    if (why === "logout" || why === "deleted") navigate("/", { replace: true });
    toast(ENDINGS[why], { name: "session" });
  });
  onSignedIn.push(() => phase("ready"));
}

const PLACES = [
  ["/settings/profile", "Settings", "profile name delete account codex connection"],
  ["/settings/sessions", "Sessions", "devices sign out settings"],
  ["/settings/tokens", "API tokens", "personal access key settings"],
] as const;

function offerCommands() {
  offer(() => [
    { id: "new", text: "New Chat", icon: "plus", words: "home start message", run: focusFromHome },
    ...(user.value
      ? [
          {
            id: "pair",
            text: "Pair a machine",
            icon: "machine" as const,
            words: "worker connect",
            run: () => navigate("/pair"),
          },
          ...PLACES.map(([target, text, words]) => ({
            id: target,
            text,
            words,
            icon: "gear" as const,
            run: () => navigate(target),
          })),
          ...(isAdmin.value
            ? [{ id: "admin", text: "Admin", icon: "shield" as const, words: "invite", run: () => navigate("/admin") }]
            : []),
        ]
      : [{ id: "login", text: "Log in", icon: "login" as const, words: "sign in", run: () => navigate("/login") }]),
    ...(user.value && canNotify
      ? [
          {
            id: "notices",
            text: notices.value ? "Turn desktop notifications off" : "Turn desktop notifications on",
            icon: "bell" as const,
            run: () => void toggleNotices(),
          },
        ]
      : []),
    { id: "light", text: "Light theme", icon: "sun", words: "appearance", run: () => chooseAppearance("light") },
    { id: "dark", text: "Dark theme", icon: "moon", words: "appearance", run: () => chooseAppearance("dark") },
    { id: "system", text: "System theme", icon: "machine", words: "appearance", run: () => chooseAppearance("system") },
    { id: "sidebar", text: "Toggle Sidebar", icon: "panel-open", run: toggleSidebar },
    {
      id: "copy-link",
      text: "Copy link to this page",
      icon: "link",
      run: () =>
        void copy(location.href).then((done) => toast(done ? "Link copied." : "Copying failed.", { stay: 2000 })),
    },
    { id: "shortcuts", text: "Keyboard shortcuts", icon: "keyboard", run: () => (overlay.value = "shortcuts") },
  ]);
  offer(() =>
    chats.value.map(({ id, title }) => ({
      id: `chat-${id}`,
      text: title,
      icon: "chat" as const,
      hint: "Chat",
      run: () => navigate(threadPath(id)),
    })),
  );
}

function focusFromHome() {
  navigate("/");
  focusComposer();
}
