import type { Outgoing } from "./outbox";

/** The outbox on disk: one record a message, keyed by its request id. Without storage everything lives as long as the tab. */
const NAME = "openagents.web.outbox";
const STORE = "messages";

let opening: Promise<IDBDatabase | null> | null = null;

function open(): Promise<IDBDatabase | null> {
  opening ??= new Promise((done) => {
    try {
      const request = indexedDB.open(NAME, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "requestId" });
      request.onsuccess = () => done(request.result);
      request.onerror = () => done(null);
      request.onblocked = () => done(null);
    } catch {
      done(null);
    }
  });
  return opening;
}

async function run<T>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => IDBRequest<T>): Promise<T | null> {
  const db = await open();
  if (!db) return null;
  return new Promise((done) => {
    try {
      const transaction = db.transaction(STORE, mode);
      const request = work(transaction.objectStore(STORE));
      transaction.oncomplete = () => done(request.result);
      transaction.onerror = () => done(null);
      transaction.onabort = () => done(null);
    } catch {
      done(null);
    }
  });
}

/** Resolves when it is on disk. */
export const write = (outgoing: Outgoing): Promise<unknown> => run("readwrite", (store) => store.put(outgoing));

export const remove = (requestId: string): Promise<unknown> => run("readwrite", (store) => store.delete(requestId));

export const forgetAll = (): Promise<unknown> => run("readwrite", (store) => store.clear());

/** One user's messages, oldest first; records of another shape are skipped. */
export async function readAll(userId: number): Promise<Outgoing[]> {
  const all = await run<Outgoing[]>("readonly", (store) => store.getAll());
  return (all ?? [])
    .filter((one) => one?.userId === userId && typeof one.text === "string" && typeof one.threadId === "string")
    .sort((a, b) => a.at - b.at);
}
