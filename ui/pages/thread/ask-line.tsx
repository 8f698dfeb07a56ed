import { Icon } from "../../parts/icons";
import { commandLine } from "../../transcript/command";
import { fields, list, text } from "../../transcript/fields";
import type { Ask } from "../../transcript/transcript";
import { answerOf, decisionWord } from "./answer";

/** What is asked, in a line. */
export function headline(ask: Ask): string {
  switch (ask.method) {
    case "item/fileChange/requestApproval":
    case "applyPatchApproval":
      return "Codex wants to change files";
    case "item/permissions/requestApproval":
      return "Codex asks for permission";
    case "item/tool/requestUserInput":
      return "Codex asks";
    case "mcpServer/elicitation/request":
      return `${text(ask.params, "serverName") ?? "A tool"} asks`;
    default:
      return text(fields(ask.params.networkApprovalContext), "host") && !ask.params.command
        ? "Codex wants to reach the network"
        : "Codex wants to run a command";
  }
}

/** The command that waits for an answer, as one line; null when it is none. */
export function commandOf(ask: Ask): string | null {
  const { command } = ask.params;
  if (typeof command === "string" && command) return commandLine(command);
  const parts = list(command).filter((part) => typeof part === "string");
  return parts.length ? commandLine(parts.join(" ")) : null;
}

/** Where an answer is on its way. */
export function Progress({ ask }: { ask: Ask }) {
  const mine = answerOf(ask.id);
  if (mine.state === "sending") return <span class="way tone-off">Sending…</span>;
  if (!ask.answerId) return null;
  const own = mine.ids.has(ask.answerId);
  const word = ask.stage === "machine" ? "On the machine" : own ? "Stored" : "Answered on another device";
  return (
    <span class="way tone-busy" role="status">
      <Icon name="check" />
      {word}: {decisionWord(ask)}
    </span>
  );
}
