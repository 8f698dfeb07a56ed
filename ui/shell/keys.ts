import { signal } from "@preact/signals";
import { isAdmin } from "../session";
import { navigate, route } from "./router";
import { toggleSidebar } from "./sidebar-state";

/** Which overlay is open; one at a time. */
export const overlay = signal<"none" | "palette" | "shortcuts">("none");

export interface Shortcut {
  keys: string[];
  text: string;
}

export const mac = typeof navigator !== "undefined" && /Mac|iP(hone|ad|od)/.test(navigator.platform);
const mod = mac ? "⌘" : "Ctrl";

/** What the shortcut sheet lists (web-ui 9.2): the keys of pages that exist. */
export const SHORTCUTS: { group: string; keys: Shortcut[] }[] = [
  {
    group: "Anywhere",
    keys: [
      { keys: [mod, "K"], text: "Go to the composer" },
      { keys: [mod, "/"], text: "Command palette" },
      { keys: [mod, "B"], text: "Show or hide the sidebar" },
      { keys: ["?"], text: "This sheet" },
      { keys: ["G", "H"], text: "Home" },
      { keys: ["G", "S"], text: "Settings" },
      { keys: ["G", "A"], text: "Admin, for administrators" },
      { keys: ["Esc"], text: "Close a dialog, sheet, menu or the palette" },
    ],
  },
  {
    group: "Composer",
    keys: [
      { keys: ["Enter"], text: "Send" },
      { keys: ["Shift", "Enter"], text: "New line" },
      { keys: ["Esc"], text: "Stop the running turn" },
      { keys: [mod, "K"], text: "Command palette" },
    ],
  },
  {
    group: "Lists and cards",
    keys: [
      { keys: ["J"], text: "Next" },
      { keys: ["K"], text: "Previous" },
      { keys: ["Enter"], text: "Open" },
      { keys: ["Y"], text: "Approve the focused approval" },
      { keys: ["N"], text: "Decline the focused approval" },
    ],
  },
];

const TEXT_INPUTS = new Set(["text", "search", "email", "password", "tel", "url", "number"]);

/** Whether typing goes into this element. */
export function takesText(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target instanceof HTMLTextAreaElement) return true;
  return target instanceof HTMLInputElement && TEXT_INPUTS.has(target.type);
}

export interface Press {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  shiftKey: boolean;
  repeat: boolean;
}
export interface Where {
  /** A text field has the focus. */
  typing: boolean;
  /** That field is the composer. */
  composer: boolean;
  /** `g` was pressed within the last second. */
  afterG: boolean;
  mac: boolean;
}
export type Action = "composer" | "palette" | "sidebar" | "shortcuts" | "home" | "settings" | "admin" | "g";

const PLACES: Record<string, Action> = { h: "home", s: "settings", a: "admin" };

/** What a key press means (web-ui 9.2); pure. */
export function actionOf(press: Press, where: Where): Action | null {
  if (press.altKey) return null;
  const key = press.key.toLowerCase();
  if (press.ctrlKey || press.metaKey) {
    if (key === "/") return press.repeat ? null : "palette";
    if (key === "b" && !press.shiftKey) return press.repeat ? null : "sidebar";
    if (key !== "k" || press.shiftKey || press.repeat) return null;
    if (where.composer) return where.mac && !press.metaKey ? null : "palette";
    return where.typing ? null : "composer";
  }
  if (where.typing) return null;
  if (press.key === "?") return "shortcuts";
  if (press.shiftKey) return null;
  const place = where.afterG ? PLACES[key] : undefined;
  if (place) return place;
  return key === "g" && !press.repeat ? "g" : null;
}

/** Moves the focus to the composer, going home first where there is none. */
export function focusComposer() {
  if (route.value.page !== "home" && route.value.page !== "thread") navigate("/");
  requestAnimationFrame(() => document.getElementById("chat-input")?.focus());
}

/** Listens for the keys of the whole app. Call once at boot. */
export function watchKeys() {
  let gAt = 0;
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing) return;
    const modal = document.querySelector("dialog[open]") !== null;
    const target = event.target;
    const action = actionOf(event, {
      typing: takesText(target),
      composer: target instanceof HTMLElement && target.id === "chat-input",
      afterG: event.timeStamp - gAt < 1000,
      mac,
    });
    if (event.key.toLowerCase() !== "g") gAt = 0;
    if (!action || (action === "admin" && !isAdmin.peek())) return;
    if (modal && !(action === "palette" && overlay.value === "palette")) return;
    if (action === "g") {
      gAt = event.timeStamp;
      return;
    }
    event.preventDefault();
    if (action === "composer") focusComposer();
    if (action === "palette") overlay.value = overlay.value === "palette" ? "none" : "palette";
    if (action === "shortcuts") overlay.value = "shortcuts";
    if (action === "sidebar") toggleSidebar();
    if (action === "home") navigate("/");
    if (action === "settings") navigate("/settings/profile");
    if (action === "admin") navigate("/admin");
  });
}
