import { computed, signal } from "@preact/signals";
import { world } from "./world";

/**
 * What the whole tab knows about its server. `api` and the socket report here; the frame shows it.
 * `reach`: `unreachable` from the first request that got no answer until one does.
 */
export const reach = signal<"ok" | "unreachable">("ok");
/** The browser's own word; `false` is certain, `true` is a guess. */
export const online = signal(typeof navigator === "undefined" ? true : navigator.onLine);
/** The server said maintenance (web-ui 5.2); the frame shows the page and asks again every 15 s. */
export const maintenance = signal<string | null>(null);
/** A second 419 in a row: only a reload helps. */
export const csrfLost = signal(false);
/** 426 or a build outside the window: nothing works until the page is loaded anew. */
export const upgradeRequired = signal<string | null>(null);
/** Counts returns from unreachable or offline. Read it in an effect to load again what failed. */
export const recoveries = signal(0);

export const away = computed(() => !online.value || reach.value === "unreachable");

const PROBE = [1000, 1500, 3000, 6000, 8000];
let probing = false;

/** An answer came, whatever it says. */
export function reached() {
  if (reach.value === "ok") return;
  reach.value = "ok";
  recoveries.value++;
}

/** No answer came: shows the banner and asks `/manifest.json` until the server is back. */
export function unreached() {
  reach.value = "unreachable";
  void probe();
}

async function probe() {
  if (probing) return;
  probing = true;
  for (let n = 0; reach.value === "unreachable"; n++) {
    await world.wait(PROBE[Math.min(n, PROBE.length - 1)] ?? 8000);
    if (reach.value !== "unreachable") break;
    if (await answers()) reached();
  }
  probing = false;
}

/** Whether the server answers at all. Never throws. */
export const answers = async (): Promise<boolean> => {
  try {
    await world.fetch("/manifest.json", { cache: "no-store", signal: AbortSignal.timeout(8000) });
    return true;
  } catch {
    return false;
  }
};

/** Follows the browser's online and offline events. Returns its undo. */
export function watchNetwork(target: Window = window): () => void {
  const up = () => {
    online.value = true;
    void answers().then((yes) => {
      if (!yes) return unreached();
      reach.value = "ok";
      recoveries.value++;
    });
  };
  const down = () => {
    online.value = false;
  };
  target.addEventListener("online", up);
  target.addEventListener("offline", down);
  return () => {
    target.removeEventListener("online", up);
    target.removeEventListener("offline", down);
  };
}
