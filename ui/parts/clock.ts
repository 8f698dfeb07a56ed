import { signal } from "@preact/signals";
import { world } from "../world";

/** The current minute, for relative times: everything that reads it moves together. Milliseconds since 1970. */
export const minute = signal(world.now());

const UNITS: [limit: number, size: number, long: string, short: string][] = [
  [3600, 60, "min", "m"],
  [86_400, 3600, "h", "h"],
  [86_400 * 30, 86_400, "day", "d"],
  [86_400 * 365, 86_400 * 30, "month", "mo"],
  [Number.POSITIVE_INFINITY, 86_400 * 365, "year", "y"],
];

/** `just now`, `3 min ago`, `2 h ago`, `5 days ago`; short: `now`, `3m`, `2h`, `5d`. The future counts as now. */
export function ago(at: number, now: number, form: "long" | "short" = "long"): string {
  const seconds = Math.floor((now - at) / 1000);
  if (seconds < 60) return form === "short" ? "now" : "just now";
  const [, size, long, short] = UNITS.find(([limit]) => seconds < limit) ?? UNITS[4]!;
  const n = Math.floor(seconds / size);
  if (form === "short") return `${n}${short}`;
  return `${n} ${long}${n > 1 && long.length > 3 ? "s" : n > 1 && long === "day" ? "s" : ""} ago`;
}

const exactFormat = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

/** Local date and time in full; invalid → `Unknown time`. */
export const exact = (at: number): string => (Number.isFinite(at) ? exactFormat.format(at) : "Unknown time");

const dayFormat = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

/** Local date, such as `Dec 25, 2026`. */
export const day = (at: number): string => dayFormat.format(at);

/** `2 s`, `1m 12s`, `3h 4m` from milliseconds. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${seconds % 60}s`;
  return `${Math.floor(seconds / 3600)}h ${Math.floor((seconds % 3600) / 60)}m`;
}

/** Starts the minute hand; call once at boot. A page that was hidden is right as soon as it is seen. */
export function startClock(): () => void {
  const tick = () => {
    minute.value = world.now();
  };
  const timer = setInterval(tick, 15_000);
  document.addEventListener("visibilitychange", tick);
  return () => {
    clearInterval(timer);
    document.removeEventListener("visibilitychange", tick);
  };
}
