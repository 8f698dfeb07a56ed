import { effect, signal } from "@preact/signals";
import { cookie, setCookie } from "../cookies";

const NARROW = "(max-width: 767px)";

/** Below 768 px the sidebar is a sheet. */
export const narrow = signal(false);
/** The column of the wide layout; kept in a cookie over visits. */
export const sidebarOpen = signal(typeof document === "undefined" || cookie("sidebar_state") !== "false");
/** The sheet of the narrow layout; never kept. */
export const sheetOpen = signal(false);

export function toggleSidebar() {
  if (narrow.value) {
    sheetOpen.value = !sheetOpen.value;
    return;
  }
  sidebarOpen.value = !sidebarOpen.value;
  setCookie("sidebar_state", String(sidebarOpen.value), 604_800, null);
}

/** Follows the window's width. Call once at boot. */
export function watchSidebar() {
  const query = matchMedia(NARROW);
  const follow = () => {
    narrow.value = query.matches;
    if (!query.matches) sheetOpen.value = false;
  };
  follow();
  query.addEventListener("change", follow);
  effect(() => {
    document.documentElement.classList.toggle("side-closed", !sidebarOpen.value);
  });
}
