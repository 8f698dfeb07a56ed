import { user } from "../session";
import { world } from "../world";

/**
 * Watermarks that outlive the page, in IndexedDB (web-ui 6). Only of topics whose updates replace a whole document: their
 * snapshot is read anew at every start, so replaying from an older position is harmless. Events that append to a
 * transcript are never resumed over a reload: there the page starts at the head and reads its snapshot.
 */
const SAFE = new Set(["runtime.codex_worker_summaries"]);
const NAME = "openagents.web.sync";
const VERSION = 2;
const STORES = ["sync_state", "view_state", "meta"];
const LEGACY = "openagents.web.sync.v1";
const EVERY_MS = 800;

interface Saved {
  user_id: number;
  topic_watermarks: Record<string, number>;
  subscribed_topics: string[];
  updated_at_unix_ms: number;
}

let opening: Promise<IDBDatabase | null> | null = null;
let pending: Record<string, number> = {};
let timer: ReturnType<typeof setTimeout> | undefined;

function open(): Promise<IDBDatabase | null> {
  opening ??= new Promise((done) => {
    try {
      const request = indexedDB.open(NAME, VERSION);
      request.onupgradeneeded = () => {
        for (const store of STORES) {
          if (!request.result.objectStoreNames.contains(store)) request.result.createObjectStore(store);
        }
      };
      request.onsuccess = () => done(request.result);
      request.onerror = () => done(null);
      request.onblocked = () => done(null);
    } catch {
      done(null); // no storage in this browser or window: the app works without
    }
  });
  return opening;
}

async function run<T>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => IDBRequest<T>): Promise<T | null> {
  const db = await open();
  if (!db) return null;
  return new Promise((done) => {
    try {
      const request = work(db.transaction("sync_state", mode).objectStore("sync_state"));
      request.onsuccess = () => done(request.result);
      request.onerror = () => done(null);
    } catch {
      done(null);
    }
  });
}

/** A record of somebody else, or one that is not what we wrote, counts as none. */
export function readSaved(saved: unknown, userId: number): { topic: string; watermark: number }[] | null {
  const one = saved as Partial<Saved> | null;
  if (!one || typeof one !== "object" || one.user_id !== userId) return null;
  if (typeof one.topic_watermarks !== "object" || one.topic_watermarks === null) return null;
  return Object.entries(one.topic_watermarks).flatMap(([topic, watermark]) =>
    SAFE.has(topic) && Number.isSafeInteger(watermark) && watermark > 0 ? [{ topic, watermark }] : [],
  );
}

/** Positions of the signed-in user. A corrupt record is removed and boot goes on. */
export async function loadPositions(): Promise<{ topic: string; watermark: number }[]> {
  try {
    localStorage.removeItem(LEGACY); // kept positions of every topic, which is not safe to resume
  } catch {
    // storage is off
  }
  const id = user.peek()?.id;
  if (id === undefined) return [];
  const saved = await run("readonly", (store) => store.get("primary"));
  if (saved == null) return [];
  const known = readSaved(saved, id);
  if (!known) await forgetPositions();
  return known ?? [];
}

/** Notes a position; written at most every 800 ms. */
export function savePositions(topic: string, watermark: number) {
  if (!SAFE.has(topic)) return;
  pending[topic] = watermark;
  timer ??= setTimeout(() => {
    timer = undefined;
    const id = user.peek()?.id;
    if (id === undefined) return;
    const record: Saved = {
      user_id: id,
      topic_watermarks: { ...pending },
      subscribed_topics: Object.keys(pending),
      updated_at_unix_ms: world.now(),
    };
    void run("readwrite", (store) => store.put(record, "primary"));
  }, EVERY_MS);
}

export async function forgetPositions(): Promise<void> {
  clearTimeout(timer);
  timer = undefined;
  pending = {};
  await run("readwrite", (store) => store.clear());
}
