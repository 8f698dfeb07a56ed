import { Icon } from "../../parts/icons";
import { changeDiff, type FileDiff } from "../../transcript/diff";
import { fields, list, text } from "../../transcript/fields";
import type { Item } from "../../transcript/transcript";
import { DiffFiles } from "./diff-files";
import type { ItemProps } from "./item";

const read = new WeakMap<object, FileDiff[]>();

/** The changes of a `fileChange` item as diffs; read once per version of the item. */
export function filesOf(item: Item): FileDiff[] {
  const known = read.get(item.payload);
  if (known) return known;
  const files = list(item.payload.changes)
    .map(fields)
    .map((change) => {
      const kind = fields(change.kind);
      const type = typeof change.kind === "string" ? change.kind : (text(kind, "type") ?? "update");
      return changeDiff(
        text(change, "path") ?? "",
        type,
        text(kind, "move_path"),
        typeof change.diff === "string" ? change.diff : "",
      );
    });
  read.set(item.payload, files);
  return files;
}

/** What Codex changed in files, or wants to. */
export function ChangesCard({ talk, item }: ItemProps) {
  const files = filesOf(item);
  const note =
    item.status === "declined"
      ? "declined"
      : item.status === "failed"
        ? "failed"
        : item.status === "interrupted"
          ? "stopped"
          : null;
  if (files.length === 0) {
    return (
      <p class="step">
        <Icon name="file" />
        <span>{item.status === "inProgress" ? "Preparing changes" : "No changes"}</span>
      </p>
    );
  }
  return (
    <DiffFiles
      talk={talk}
      name={`changes ${item.key}`}
      files={files}
      note={note}
      open={item.status === "inProgress" ? true : null}
    />
  );
}
