import type { Database } from "../../db/database";
import type { NewEvent } from "./event";

/** An event that has its number. `text` is the payload's canonical JSON, or null when it was too large to carry. */
export interface Numbered {
  streamId: number;
  first: number;
  rows: { seq: number; kind: string; docKey: string; docVersion: number; payload: string | null; payloadHash: Uint8Array | null }[];
}

/** The live lane as domains see it. */
export interface Khala {
  /** Writes all events of a transaction, as its last statement (khala 3.5). Only `commit` calls it. */
  append(db: Database, events: NewEvent[]): Promise<Numbered[]>;
  /** Hands committed events to the local hub and wakes other nodes. Never throws. Only `commit` calls it. */
  publish(numbered: Numbered[]): void;
}
