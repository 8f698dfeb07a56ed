import { messageBy } from "./control";
import { fields, list } from "./fields";
import { addSnapshotTurn, readBefore } from "./snapshot";
import { type Changes, emptyTranscript, noChanges, type Transcript } from "./transcript";
import { dropItem, turnBy } from "./turns";

/** Puts an older page before what is here. Turns that are here already stay as they are, but for the one that was cut. */
export function prependSnapshot(transcript: Transcript, data: unknown, changes: Changes): void {
  const body = fields(data);
  const older = emptyTranscript(transcript.threadId);
  for (const raw of list(body.turns)) addSnapshotTurn(older, fields(raw));
  const cut = transcript.before?.item === null ? null : transcript.before?.turn;
  if (cut) {
    putBefore(transcript, older, cut);
    changes.turns.add(cut);
  }
  const fresh = older.turns.filter((turn) => !turnBy(transcript, turn.id));
  transcript.turns.unshift(...fresh);
  for (const turn of fresh) {
    for (const key of turn.items) {
      const item = older.items.get(key);
      if (!item) continue;
      if (item.messageId) {
        const steered = messageBy(transcript, { messageId: item.messageId });
        if (steered) dropItem(transcript, steered, noChanges());
      }
      transcript.items.set(key, item);
    }
  }
  for (const ask of older.asks.values()) if (!transcript.asks.has(ask.id)) transcript.asks.set(ask.id, ask);
  transcript.before = readBefore(body);
}

/** Gives a turn that was cut the items it lacks, each after the one it follows in the other transcript. */
function putBefore(into: Transcript, from: Transcript, turnId: string): void {
  const turn = turnBy(into, turnId);
  const fuller = turnBy(from, turnId);
  if (!turn || !fuller) return;
  const here = new Set(turn.items);
  const after = new Map<string | null, string[]>([[null, []]]);
  let known: string | null = null;
  for (const key of fuller.items) {
    if (here.has(key)) {
      known = key;
      continue;
    }
    const item = from.items.get(key);
    if (!item) continue;
    into.items.set(key, item);
    after.set(known, [...(after.get(known) ?? []), key]);
  }
  const items = [...(after.get(null) ?? []), ...turn.items.flatMap((key) => [key, ...(after.get(key) ?? [])])];
  into.turns[into.turns.indexOf(turn)] = { ...turn, items };
}

/** Gives a snapshot that was read anew the older turns and items that were read before, where nothing is missing between. */
export function keepOlder(next: Transcript, old: Transcript): void {
  const at = joint(next, old);
  const first = next.turns[0];
  if (!first || at < 0) return;
  if (next.before && next.before.item !== null) {
    putBefore(next, old, first.id);
    next.before = old.before;
  }
  if (at === 0) return;
  const older = old.turns.slice(0, at);
  next.turns.unshift(...older);
  for (const turn of older) {
    for (const key of turn.items) {
      const item = old.items.get(key);
      if (item) next.items.set(key, item);
    }
  }
  for (const ask of old.asks.values()) if (!next.asks.has(ask.id)) next.asks.set(ask.id, ask);
  next.before = old.before;
}

/** The place in `old` of the turn that `next` begins with, when nothing is missing between the two; else -1. */
function joint(next: Transcript, old: Transcript): number {
  const first = next.turns[0];
  const at = first ? old.turns.findIndex(({ id }) => id === first.id) : -1;
  if (!first || at < 0 || next.before?.item == null) return at;
  // Of a cut turn what the person wrote is there in any case.
  const oldest = first.items.find((key) => next.items.get(key)?.type !== "userMessage");
  return oldest && old.turns[at]?.items.includes(oldest) ? at : -1;
}
