import "./settings.css";
import { useEffect } from "preact/hooks";
import { Dialog } from "../../parts/dialog";
import { held, route, unsaved } from "../../shell/router";
import type { PageKey } from "../../shell/routes";
import { useTop } from "../../shell/top";
import { track } from "../../telemetry/track";
import { Profile } from "./profile";
import { Sessions } from "./sessions";
import { Tokens } from "./tokens";

const TABS: { page: PageKey; href: string; text: string; heading: string }[] = [
  { page: "settings-profile", href: "/settings/profile", text: "Profile", heading: "Profile Settings" },
  { page: "settings-sessions", href: "/settings/sessions", text: "Sessions", heading: "Sessions" },
  { page: "settings-tokens", href: "/settings/tokens", text: "API tokens", heading: "API tokens" },
];

/** The settings (web-ui 7.5): one frame that stays while its tabs change. */
export function SettingsPage() {
  const { page } = route.value;
  const tab = TABS.find((one) => one.page === page) ?? TABS[0];
  useTop({ crumbs: [{ text: "Settings", href: "/settings/profile" }, { text: tab?.text ?? "" }] }, [page]);
  useEffect(() => {
    track("settings.page_opened", { path: location.pathname });
  }, [page]);
  useEffect(
    () => () => {
      unsaved.value = false;
      held.value = null;
    },
    [],
  );
  return (
    <div class="panels">
      <h1 class="sr-only" tabIndex={-1}>
        {tab?.heading}
      </h1>
      <header>
        <h2>Settings</h2>
        <p>Manage your profile and account settings</p>
      </header>
      <nav class="tabs" aria-label="Settings">
        {TABS.map(({ href, text, page: one }) => (
          <a
            key={href}
            href={href}
            aria-current={one === page ? "page" : undefined}
            onClick={() => track("settings.nav_clicked", { fromPath: tab?.href ?? "", toPath: href })}
          >
            {text}
          </a>
        ))}
      </nav>
      {page === "settings-sessions" ? <Sessions /> : page === "settings-tokens" ? <Tokens /> : <Profile />}
      <Leaving />
    </div>
  );
}

/** Asks once before edits are lost. */
const Leaving = () => (
  <Dialog
    open={held.value !== null}
    onClose={() => {
      held.value = null;
    }}
    title="Discard changes?"
    description="What you changed on this page is not saved."
  >
    <div class="dialog-acts">
      <button
        type="button"
        class="button"
        onClick={() => {
          held.value = null;
        }}
      >
        Keep editing
      </button>
      <button
        type="button"
        class="button danger"
        onClick={() => {
          const leave = held.peek()?.go;
          held.value = null;
          leave?.();
        }}
      >
        Discard changes
      </button>
    </div>
  </Dialog>
);
