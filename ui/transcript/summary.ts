import { changeDiff, parseDiff } from "./diff";
import { count, fields, list, text } from "./fields";
import type { Transcript, Turn } from "./transcript";

/** What a turn did, in numbers, and where each begins. */
export interface Summary {
  items: number;
  files: number;
  added: number;
  removed: number;
  firstFile: string | null;
  commands: number;
  failed: number;
  firstCommand: string | null;
}

const made = new WeakMap<Turn, Summary>();

/** Counted once for each version of a turn. The turn's own diff counts lines best; else the changes one by one. */
export function summarise(transcript: Transcript, turn: Turn): Summary {
  const known = made.get(turn);
  if (known) return known;
  const summary: Summary = {
    items: 0,
    files: 0,
    added: 0,
    removed: 0,
    firstFile: null,
    commands: 0,
    failed: 0,
    firstCommand: null,
  };
  const paths = new Set<string>();
  for (const key of turn.items) {
    const item = transcript.items.get(key);
    if (!item) continue;
    if (item.type !== "userMessage") summary.items += 1;
    if (item.type === "commandExecution") {
      summary.commands += 1;
      summary.firstCommand ??= key;
      const exit = count(item.payload, "exitCode");
      if (item.status === "failed" || (exit !== null && exit !== 0)) summary.failed += 1;
    }
    if (item.type !== "fileChange" || item.status === "declined" || item.status === "failed") continue;
    summary.firstFile ??= key;
    for (const change of list(item.payload.changes).map(fields)) {
      const path = text(change, "path") ?? "";
      const kind = fields(change.kind);
      paths.add(path);
      if (turn.diff) continue;
      const diff = typeof change.diff === "string" ? change.diff : "";
      const file = changeDiff(path, text(kind, "type") ?? "update", text(kind, "move_path"), diff);
      summary.added += file.added;
      summary.removed += file.removed;
    }
  }
  if (turn.diff) {
    const files = parseDiff(turn.diff);
    summary.files = files.length;
    summary.added = files.reduce((sum, file) => sum + file.added, 0);
    summary.removed = files.reduce((sum, file) => sum + file.removed, 0);
  } else summary.files = paths.size;
  if (turn.status !== "in_progress") made.set(turn, summary);
  return summary;
}
