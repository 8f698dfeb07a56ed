import { toast } from "../../parts/toast";
import { toJson, toMarkdown } from "../../transcript/export";
import type { Conversation } from "./conversation";

/** Hands a text to the browser as a file. */
export function save(name: string, text: string, type: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** The whole thread, older turns too, as a file. */
export async function exportThread(talk: Conversation, as: "markdown" | "json"): Promise<void> {
  await talk.everything();
  if (talk.transcript.before) {
    toast("The thread could not be read completely. Nothing was saved.", { tone: "bad" });
    return;
  }
  const name =
    (talk.transcript.title ?? "conversation")
      .replace(/[^\p{L}\p{N} ._-]+/gu, " ")
      .trim()
      .slice(0, 80) || "conversation";
  if (as === "json") save(`${name}.json`, toJson(talk.transcript), "application/json");
  else save(`${name}.md`, toMarkdown(talk.transcript), "text/markdown");
}
