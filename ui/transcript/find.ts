import { withoutAnsi } from "./ansi";
import { fields, list, text } from "./fields";
import type { Item, Transcript } from "./transcript";

/** Everything a person may look for in an item, folded or not. */
export function searchable(item: Item): string {
  const { payload } = item;
  const parts = [item.text.includes("\u001b") ? withoutAnsi(item.text) : item.text, ...item.summary, ...item.content];
  for (const name of ["command", "query", "path", "tool", "server"]) parts.push(text(payload, name) ?? "");
  for (const change of list(payload.changes).map(fields))
    parts.push(text(change, "path") ?? "", text(change, "diff") ?? "");
  if (item.type.endsWith("ToolCall"))
    parts.push(JSON.stringify(payload.arguments ?? ""), JSON.stringify(payload.result ?? ""));
  return parts.filter(Boolean).join("\n");
}

/** Hits in order: one entry a hit, naming the item it is in. Case does not matter. */
export function find(transcript: Transcript, query: string): string[] {
  const wanted = query.toLowerCase();
  if (!wanted) return [];
  const hits: string[] = [];
  for (const turn of transcript.turns) {
    for (const key of turn.items) {
      const item = transcript.items.get(key);
      if (!item) continue;
      const body = searchable(item).toLowerCase();
      for (let at = body.indexOf(wanted); at >= 0; at = body.indexOf(wanted, at + wanted.length)) hits.push(key);
    }
  }
  return hits;
}
