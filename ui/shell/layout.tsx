import { useEffect, useState } from "preact/hooks";
import { Announcer } from "../parts/announce";
import { Contain } from "../parts/contain";
import { Dialog } from "../parts/dialog";
import { Icon } from "../parts/icons";
import { Toasts } from "../parts/toast";
import { session } from "../session";
import { upgradeRequired } from "../status";
import { Banner } from "./banner";
import { ConnectionPill } from "./connection";
import { overlay } from "./keys";
import { PageHost } from "./page-host";
import { entry } from "./router";
import { Sidebar } from "./sidebar";
import { narrow, sheetOpen, sidebarOpen, toggleSidebar } from "./sidebar-state";
import { top } from "./top";

function Crumbs() {
  const { crumbs } = top.value;
  if (crumbs.length === 0) return null;
  return (
    <nav class="crumbs" aria-label="Breadcrumb">
      <ol>
        {crumbs.map(({ text, href }, n) => {
          const last = n === crumbs.length - 1;
          return (
            <li key={n}>
              {href && !last ? <a href={href}>{text}</a> : <span aria-current={last ? "page" : undefined}>{text}</span>}
            </li>
          );
        })}
      </ol>
    </nav>
  );
}

const SidebarToggle = () => (
  <button
    type="button"
    class="toggle"
    aria-label="Toggle Sidebar"
    aria-expanded={narrow.value ? sheetOpen.value : sidebarOpen.value}
    onClick={toggleSidebar}
  >
    <Icon name={narrow.value || !sidebarOpen.value ? "panel-open" : "panel-close"} />
  </button>
);

/** Palette and shortcut sheet, fetched when first opened. */
function Overlays() {
  const [module, setModule] = useState<typeof import("./overlays") | null>(null);
  const wanted = overlay.value !== "none";
  useEffect(() => {
    if (!wanted || module) return;
    import("./overlays").then(setModule, () => {
      overlay.value = "none";
    });
  }, [wanted]);
  return module ? <module.Overlays /> : null;
}

/** A build the server no longer serves: nothing behind it may be used (web-ui 5.2, 426). */
const Upgrade = () => (
  <Dialog open onClose={() => {}} title="A newer version is required.">
    <p class="dialog-text">Reload to load it. What you typed is kept.</p>
    <button type="button" class="button main" onClick={() => location.reload()}>
      Reload
    </button>
  </Dialog>
);

/** The frame around every page (web-ui 3). It mounts once and never unmounts. */
export function Layout() {
  useEffect(() => {
    sheetOpen.value = false;
  }, [entry.value]);
  const signedIn = session.value.kind === "user";
  return (
    <div class="frame">
      {/* biome-ignore lint/a11y/useValidAnchor: a skip link; the fragment stays out of the address */}
      <a class="skip button" href="#oa-main-shell" onClick={skip}>
        Skip to content
      </a>
      <SidebarToggle />
      <div class="side-rail">{!narrow.value && <Sidebar />}</div>
      <Dialog
        class="sheet-dialog"
        open={narrow.value && sheetOpen.value}
        onClose={() => (sheetOpen.value = false)}
        title="Sidebar"
        description="Displays the mobile sidebar."
        quiet
      >
        <SidebarToggle />
        <Sidebar />
      </Dialog>
      <div class="page">
        <header class="top">
          <Crumbs />
          <span class="gap" />
          {top.value.actions}
          {signedIn && <ConnectionPill />}
        </header>
        <Banner />
        <PageHost />
      </div>
      <Contain fallback={() => null}>
        <Overlays />
      </Contain>
      {upgradeRequired.value !== null && <Upgrade />}
      <Toasts />
      <Announcer />
    </div>
  );
}

function skip(event: Event) {
  event.preventDefault();
  document.getElementById("oa-main-shell")?.focus();
}
