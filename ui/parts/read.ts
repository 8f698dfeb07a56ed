import { type Signal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { type Answer, api } from "../api";
import type { Failure } from "../failure";
import { onSignedOut } from "../session";
import { recoveries } from "../status";

/** The data of a page: one kind at a time, so that loading, failed and ready cannot be mixed up. */
export type Reading<T> = { kind: "loading" } | { kind: "failed"; failure: Failure } | { kind: "ready"; data: T };

/** What was read last, so that a page one comes back to is there at once and reads again unseen (web-ui 16.1). */
const known = new Map<string, unknown>();
onSignedOut.push(() => known.clear());

export interface Read<T> {
  state: Signal<Reading<T>>;
  /** Reads again; what is on screen stays until the answer is there. */
  again: () => Promise<void>;
}

/** Reads `url` on entering, again when the tab is looked at or the network is back, and gives up when the page is left. */
export function useRead<T>(url: string): Read<T> {
  const state = useSignal<Reading<T>>(
    known.has(url) ? { kind: "ready", data: known.get(url) as T } : { kind: "loading" },
  );
  const running = useRef<AbortController | null>(null);
  const again = async () => {
    running.current?.abort();
    const own = new AbortController();
    running.current = own;
    const { data, failure }: Answer<{ data: T }> = await api.get<{ data: T }>(url, { signal: own.signal });
    if (own.signal.aborted) return;
    if (data) {
      known.set(url, data.data);
      state.value = { kind: "ready", data: data.data };
      return;
    }
    if (state.peek().kind !== "ready") state.value = { kind: "failed", failure };
  };
  useEffect(() => {
    void again();
    const seen = () => {
      if (!document.hidden) void again();
    };
    document.addEventListener("visibilitychange", seen);
    let first = true;
    const undo = recoveries.subscribe(() => {
      if (!first) void again();
      first = false;
    });
    return () => {
      document.removeEventListener("visibilitychange", seen);
      undo();
      running.current?.abort();
    };
  }, [url]);
  return { state, again };
}
