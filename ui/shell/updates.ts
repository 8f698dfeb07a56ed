import { effect } from "@preact/signals";
import { socketAddress } from "../khala/topics";
import { toast } from "../parts/toast";
import { upgradeRequired } from "../status";
import { world } from "../world";
import { app } from "./app";
import { blocks, type Manifest, skewOf } from "./skew";

const AGAIN_MS = 15 * 60_000;
const PROMOTE_MS = 4000;
const GUARD = "oa.reloaded_for";
const INCOMPATIBLE = "Build compatibility check failed. Hard refresh to load a compatible bundle.";

let askedAt = 0;

async function readManifest(): Promise<Manifest | null> {
  askedAt = world.now();
  try {
    const answer = await world.fetch("/manifest.json", { cache: "no-store", headers: { accept: "application/json" } });
    return answer.ok ? ((await answer.json()) as Manifest) : null;
  } catch {
    return null;
  }
}

/** True the first time a server build is seen in this tab: a reload that changes nothing is not tried again. */
function firstFor(buildId: string): boolean {
  try {
    if (sessionStorage.getItem(GUARD) === buildId) return false;
    sessionStorage.setItem(GUARD, buildId);
    return true;
  } catch {
    return false; // without a guard a reload might loop
  }
}

/** Lets the waiting worker take over, if there is one. */
async function promote(): Promise<void> {
  const registration = await navigator.serviceWorker?.getRegistration();
  await registration?.update().catch(() => undefined);
  const waiting = registration?.waiting;
  if (!waiting) return;
  const changed = new Promise((done) =>
    navigator.serviceWorker.addEventListener("controllerchange", done, { once: true }),
  );
  waiting.postMessage("SKIP_WAITING");
  await Promise.race([changed, world.wait(PROMOTE_MS)]);
}

async function reload() {
  await promote();
  location.reload();
}

const offerReload = () =>
  toast("A new version is ready.", {
    name: "update",
    stay: null,
    action: { label: "Reload", run: () => void reload() },
  });

async function check(moment: "boot" | "later") {
  const manifest = await readManifest();
  if (!manifest) return;
  if (manifest.khala?.url) socketAddress.path = manifest.khala.url;
  const skew = skewOf(app.buildId, manifest);
  if (skew === "none" || skew === "missing_current_build") return;
  if (moment === "boot" && firstFor(manifest.buildId)) {
    toast("Updating to the latest version…", { name: "update", stay: null });
    return reload();
  }
  if (blocks(skew)) upgradeRequired.value = moment === "boot" ? INCOMPATIBLE : "A newer version is required.";
  else offerReload();
}

/** Compares builds at boot, on focus after 15 minutes and after a 426; registers the service worker (web-ui 8). */
export async function watchUpdates(): Promise<void> {
  const first = check("boot");
  addEventListener("focus", () => {
    if (world.now() - askedAt > AGAIN_MS) void check("later");
  });
  effect(() => {
    if (upgradeRequired.value !== null && world.now() - askedAt > 1000) void check("later");
  });
  void register();
  await first;
}

async function register() {
  if (!("serviceWorker" in navigator) || !app.buildId || app.buildId === "dev") return;
  try {
    const registration = await navigator.serviceWorker.register(`/sw.js?build=${encodeURIComponent(app.buildId)}`, {
      updateViaCache: "none",
    });
    registration.addEventListener("updatefound", () => {
      const next = registration.installing;
      next?.addEventListener("statechange", () => {
        if (next.state === "installed" && navigator.serviceWorker.controller) void check("later");
      });
    });
  } catch (error) {
    console.warn("The service worker could not be registered.", error); // private windows, plain http on a host name
  }
}
