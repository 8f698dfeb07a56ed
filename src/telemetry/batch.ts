import { createHmac } from "node:crypto";
import type { Caller } from "../http/caller";
import type { Facts } from "../http/facts";
import { type Schema, translate } from "../http/translate";
import { invalidFields } from "../refusal";
import type { Analytics, Properties } from "./analytics";
import { ClientEvent, ProductEvent } from "./batch-contract";
import { kindOf } from "./client-events";

/** The parts of a batch that pass (http-platform 2.10). */
export interface Sorted {
  products: ProductEvent[];
  clients: { event: ClientEvent; kind: NonNullable<ReturnType<typeof kindOf>> }[];
  dropped: number;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isClient = (entry: unknown): boolean => isObject(entry) && "schema_version" in entry;
const known = new Set(Object.keys(ClientEvent.properties));

const listOf = (items: unknown): Schema => ({
  type: "object",
  properties: { events: { type: "array", items: items as Schema } },
});
const productList = listOf(ProductEvent);
const clientList = listOf(ClientEvent);

/** Sorts the entries; throws 422 with every text when none of them passes. */
export function sortBatch(entries: unknown[]): Sorted {
  const products = translate(productList, {
    events: entries.map((entry) => (isClient(entry) ? undefined : isObject(entry) && entry)),
  });
  const clients = translate(clientList, { events: entries.map((entry) => (isClient(entry) ? entry : undefined)) });
  const errors = { ...products.errors, ...clients.errors };
  const failed = new Set(Object.keys(errors).map((path) => Number(path.split(".")[1])));
  const sorted: Sorted = { products: [], clients: [], dropped: 0 };
  for (const [i, entry] of entries.entries()) {
    const event = (clients.value.events as ClientEvent[])[i];
    if (failed.has(i)) sorted.dropped++;
    else if (!event) sorted.products.push((products.value.events as ProductEvent[])[i]!);
    else {
      const kind = kindOf(event);
      const closed = Object.keys(entry as object).every((name) => known.has(name));
      if (kind && closed) sorted.clients.push({ event, kind });
      else {
        sorted.dropped++;
        errors[`events.${i}`] = [`The events.${i} field ${closed ? "must be of one kind" : "has members of no use"}.`];
      }
    }
  }
  if (sorted.dropped === entries.length) throw invalidFields(errors);
  return sorted;
}

const secretName = /email|token|secret|password|authorization|cookie|mnemonic|preimage/i;
const longestText = 1000;

/** Properties as they may leave the house. */
function propertiesOf(given: Properties | null | undefined): Properties {
  const kept: Properties = {};
  for (const [name, value] of Object.entries(given ?? {})) {
    if (!secretName.test(name)) kept[name] = typeof value === "string" ? value.slice(0, longestText) : value;
  }
  return kept;
}

const rfc3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;
const dayMs = 86_400_000;

/** When an event happened, as far as the client can be believed. */
function timeOf(text: unknown, now: Date): Date {
  const at = typeof text === "string" && rfc3339.test(text) ? Date.parse(text) : Number.NaN;
  return Math.abs(at - now.getTime()) <= dayMs ? new Date(at) : now;
}

/** A guest is the same one for a day only, and nobody can be told from it without the app key. */
export function guestId(appKey: Buffer, now: Date, facts: Pick<Facts, "ip" | "userAgent">): string {
  const text = `${now.toISOString().slice(0, 10)}|${facts.ip}|${facts.userAgent}`;
  return `anon:${createHmac("sha256", appKey).update(text).digest("hex").slice(0, 32)}`;
}

/** Hands product events to analytics under the caller's e-mail, or a guest's name of today. */
export function forward(
  { analytics, appKey, now }: { analytics: Analytics; appKey(): Buffer; now(): Date },
  caller: Caller | null,
  facts: Facts,
  events: ProductEvent[],
): void {
  const at = now();
  const distinctId = caller ? caller.user.email : guestId(appKey(), at, facts);
  const guest = caller ? {} : { $process_person_profile: false };
  for (const { event, properties, timestamp } of events) {
    analytics.capture(distinctId, event, { ...propertiesOf(properties), ...guest }, timeOf(timestamp, at));
  }
}
