import type { Database } from "../../db/database";
import type { Deny } from "./denials";
import type { NewEvent } from "./event";

/** An event of the log as it is stored and sent. */
export interface Row {
  seq: number;
  kind: string;
  docKey: string;
  docVersion: number;
  /** Canonical JSON, or null when it was too large to carry. */
  payload: string | null;
  /** Base64 of the SHA-256 of `payload`; null without one. */
  payloadHash: string | null;
}

/** What one transaction appended to one stream. */
export interface Numbered {
  streamId: number;
  stream: string;
  first: number;
  rows: Row[];
  /** `performance.now()` when the statement was done. */
  at: number;
}

/** The live lane as domains see it. */
export interface Khala {
  /** Writes all events of a transaction, as its last statement (khala 3.5). Only `commit` calls it. */
  append(db: Database, events: NewEvent[]): Promise<Numbered[]>;
  /** Hands committed events to the local hub and wakes other nodes. Never throws. Only `commit` calls it. */
  publish(numbered: Numbered[]): void;
  /** Notes in the log that a client was turned away. */
  deny: Deny;
}
