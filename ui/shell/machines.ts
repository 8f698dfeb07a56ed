import { computed, effect, signal } from "@preact/signals";
import type { WorkerSnapshot } from "../../src/codex/contract";
import { api } from "../api";
import type { Update } from "../khala/frames";
import { SUMMARIES, topic } from "../khala/topics";
import { minute } from "../parts/clock";
import { codexAccess, load, onSignedIn, onSignedOut } from "../session";
import { recoveries } from "../status";

/** The part of a worker snapshot (codex-chat 2.1) the app reads. */
export type Worker = Pick<
  WorkerSnapshot,
  | "worker_id"
  | "status"
  | "latest_seq"
  | "workspace_ref"
  | "metadata"
  | "last_heartbeat_at"
  | "heartbeat_stale_after_ms"
  | "heartbeat_state"
  | "started_at"
> & { executor: Pick<NonNullable<WorkerSnapshot["executor"]>, "connected"> | null };

export interface Machine {
  id: string;
  name: string;
  live: boolean;
  seenAt: string | null;
}

/** Own workers as the server last told. */
export const workers = signal<Worker[]>([]);
export const workersRead = signal(false);

const named = (worker: Worker): string => {
  for (const key of ["name", "hostname"]) {
    const value = worker.metadata[key];
    if (typeof value === "string" && value.trim()) return value.trim();
  }
  return worker.worker_id.replace(/^desktopw:/, "");
};

/** Whether the machine takes work now: a connected executor, or a heartbeat young enough. */
export const liveAt = (worker: Worker, now: number): boolean => {
  if (worker.status !== "running") return false;
  if (worker.executor) return worker.executor.connected;
  const at = Date.parse(worker.last_heartbeat_at ?? "");
  return Number.isFinite(at) && now - at <= worker.heartbeat_stale_after_ms;
};

/** Machines for the sidebar: those that ran Codex once, live ones first. */
export const machines = computed<Machine[]>(() =>
  workers.value
    .map((worker) => ({
      id: worker.worker_id,
      name: named(worker),
      live: liveAt(worker, minute.value),
      seenAt: worker.last_heartbeat_at,
    }))
    .sort((a, b) => Number(b.live) - Number(a.live) || (b.seenAt ?? "").localeCompare(a.seenAt ?? "")),
);

async function read() {
  const { data } = await api.get<{ data: Worker[] }>("/api/runtime/codex/workers", { query: { limit: 50 } });
  if (!data) return;
  workers.value = data.data;
  workersRead.value = true;
  // A machine that came between `/api/me` and the first update would be missed.
  if (data.data.length > 0 && codexAccess.peek()?.status !== "ready") askAccess();
}

/** The newer of two states of one worker wins (khala 3.2); a worker not known yet is added. */
export function merge(list: Worker[], next: Worker): Worker[] {
  const old = list.find(({ worker_id }) => worker_id === next.worker_id);
  if (old && old.latest_seq > next.latest_seq) return list;
  return old ? list.map((one) => (one === old ? next : one)) : [...list, next];
}

let soon: ReturnType<typeof setTimeout> | undefined;
/** Whether chat is possible depends on the machines: asked again when one appears, goes or changes its account. */
const askAccess = () => {
  if (soon) return;
  soon = setTimeout(() => {
    soon = undefined;
    void load();
  }, 300);
};

const isWorker = (value: unknown): value is Worker =>
  typeof value === "object" && value !== null && typeof (value as Worker).worker_id === "string";

function apply({ payload, hydrationRequired }: Update) {
  if (hydrationRequired || !isWorker(payload)) return void read();
  const before = workers.value.find(({ worker_id }) => worker_id === payload.worker_id);
  workers.value = merge(workers.value, { ...payload, metadata: payload.metadata ?? {} });
  const now = minute.peek();
  const changed =
    !before ||
    liveAt(before, now) !== liveAt(payload, now) ||
    before.executor?.connected !== payload.executor?.connected;
  if (changed || codexAccess.peek()?.status !== "ready") askAccess();
}

/** Keeps the machines current while somebody is signed in. Call once at boot. */
export function watchMachines() {
  let undo = () => {};
  onSignedIn.push(() => {
    undo = topic(SUMMARIES).on({ update: apply, resync: () => void read() });
    void read();
  });
  onSignedOut.push(() => {
    undo();
    workers.value = [];
    workersRead.value = false;
  });
  let seen = recoveries.peek();
  effect(() => {
    if (recoveries.value === seen) return;
    seen = recoveries.value;
    if (workersRead.peek()) void read();
  });
}
