/** Milliseconds before attempt `n` (from 1): min(8000, 750·2^n), give or take 20% (web-ui 6). `chance` is 0…1. */
export const delay = (n: number, chance: number): number =>
  Math.round(Math.min(8000, 750 * 2 ** Math.max(1, n)) * (0.8 + 0.4 * chance));

export type AfterClose =
  | { kind: "retry"; after: number; counts: boolean }
  | { kind: "stop"; why: "signed_out" | "operator" | "upgrade" | "broken" };

/** What the close code asks of a client (khala 2.8). `after` −1 means: by the backoff. */
export function afterClose(code: number, reason: string): AfterClose {
  switch (code) {
    case 4401:
      return { kind: "stop", why: "signed_out" };
    case 4403:
      return { kind: "stop", why: "operator" };
    case 4426:
      return { kind: "stop", why: "upgrade" };
    case 4400:
      return { kind: "stop", why: "broken" };
    case 1012: {
      const ms = Number.parseInt(/reconnect_after_ms=(\d+)/.exec(reason)?.[1] ?? "", 10);
      return { kind: "retry", after: Number.isFinite(ms) ? Math.min(ms, 10_000) : -1, counts: false };
    }
    case 4408:
      return { kind: "retry", after: 0, counts: true };
    case 4429:
    case 1003:
    case 1007:
    case 1009:
      return { kind: "retry", after: 8000, counts: true };
    default:
      return { kind: "retry", after: -1, counts: true };
  }
}
