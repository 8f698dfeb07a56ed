import { signal } from "@preact/signals";
import { toast } from "../parts/toast";
import { onSignedOut } from "../session";
import { world } from "../world";
import { app } from "./app";
import { navigate } from "./router";
import { threadPath } from "./routes";

/**
 * Desktop notifications, for people who asked for them on this device: a turn has ended or an approval waits while nobody
 * looks (web-ui 16.1). They name the chat and tell nothing else of it.
 */
const KEY = "oa.notices";
const ANSWERS_MS = 100;
const supported = typeof Notification !== "undefined";

const stored = (): boolean => {
  try {
    return localStorage.getItem(KEY) === "on";
  } catch {
    return false;
  }
};

/** Whether this device shows them. The browser's own permission can be taken back at any time. */
export const notices = signal(supported && stored() && Notification.permission === "granted");
export const canNotify = supported;

function keep(on: boolean) {
  notices.value = on;
  try {
    if (on) localStorage.setItem(KEY, "on");
    else localStorage.removeItem(KEY);
  } catch {
    // storage is off: it holds for this page
  }
}

/** Turns them on, asking the browser when it has not been asked, or off. */
export async function toggleNotices(): Promise<void> {
  if (notices.peek()) {
    keep(false);
    return void clear();
  }
  const answer =
    Notification.permission === "default" ? await Notification.requestPermission() : Notification.permission;
  keep(answer === "granted");
  if (answer !== "granted") toast("This browser does not allow notifications for this site.", { name: "notices" });
  else toast("You will be told when a turn ends or an approval waits.", { name: "notices" });
}

const tabs = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel("oa-notices");
let watched = false;

/** Whether another tab of this browser is being looked at. */
async function seenElsewhere(): Promise<boolean> {
  watched = false;
  tabs?.postMessage("anyone");
  await world.wait(ANSWERS_MS);
  return watched;
}

const registration = async () => (await navigator.serviceWorker?.getRegistration()) ?? null;

/** Tells that something happened in a chat. Several tabs of one browser show it once: the tag is the same. */
export async function notify(chat: { id: string; title: string }, what: "ended" | "waiting"): Promise<void> {
  if (!notices.peek() || Notification.permission !== "granted" || (await seenElsewhere())) return;
  const url = threadPath(chat.id);
  const title = what === "waiting" ? "Waiting for you" : "Turn finished";
  const options = { body: chat.title, tag: `oa:${chat.id}`, icon: "/icon-192.png", data: { url } };
  const worker = await registration();
  if (worker) return worker.showNotification(`${title} - ${app.name}`, options);
  const shown = new Notification(`${title} - ${app.name}`, options);
  shown.onclick = () => {
    window.focus();
    shown.close();
    navigate(url);
  };
}

/** Takes them away: somebody looks, or has signed out. */
async function clear(): Promise<void> {
  const shown = (await (await registration())?.getNotifications?.()) ?? [];
  for (const one of shown) if (one.tag.startsWith("oa:")) one.close();
}

/** Follows clicks on notifications and clears them when the tab is seen. Call once at boot. */
export function watchNotices() {
  if (tabs) {
    tabs.onmessage = ({ data }) => {
      if (data === "here") watched = true;
      if (data === "anyone" && !document.hidden) tabs.postMessage("here");
    };
  }
  navigator.serviceWorker?.addEventListener("message", ({ data }) => {
    if (data?.kind === "open" && typeof data.url === "string") navigate(data.url);
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && notices.peek()) void clear();
  });
  onSignedOut.push(() => {
    if (notices.peek()) void clear();
  });
}
