import { withoutAnsi } from "./ansi";
import { commandLine } from "./command";
import { count, fields, list, text } from "./fields";
import { type Item, plain, type Transcript } from "./transcript";

/** The conversation as data: what was said and done, without our bookkeeping. Answers to secret questions are not in it. */
export function toJson(transcript: Transcript): string {
  const { applied, gap, before, ...rest } = plain(transcript);
  const asks = rest.asks.map(({ decision, ...ask }) => ({ ...ask, decision: secret(ask.params) ? null : decision }));
  return `${JSON.stringify({ ...rest, asks }, null, 2)}\n`;
}

const secret = (params: Record<string, unknown>): boolean =>
  list(params.questions)
    .map(fields)
    .some((question) => question.isSecret === true);

/** The conversation as a text one can read anywhere. */
export function toMarkdown(transcript: Transcript): string {
  const out: string[] = [`# ${transcript.title ?? "Conversation"}`];
  for (const turn of transcript.turns) {
    for (const key of turn.items) {
      const item = transcript.items.get(key);
      if (item) out.push(section(item));
    }
    if (turn.status === "failed" && turn.error) out.push(`> **Failed:** ${turn.error.message}`);
    if (turn.status === "interrupted") out.push("> **Stopped**");
  }
  return `${out.filter(Boolean).join("\n\n")}\n`;
}

function section(item: Item): string {
  const { payload } = item;
  switch (item.type) {
    case "userMessage":
      return `## You\n\n${item.text}`;
    case "agentMessage":
      return `## Codex\n\n${item.text}`;
    case "reasoning": {
      const words = (item.summary.some(Boolean) ? item.summary : item.content).filter(Boolean).join("\n\n");
      return words ? `<details><summary>Reasoning</summary>\n\n${words}\n\n</details>` : "";
    }
    case "plan":
      return `### Plan\n\n${item.text}`;
    case "commandExecution": {
      const exit = count(payload, "exitCode");
      const output = withoutAnsi(item.text).trimEnd();
      const ending = exit === null ? item.status : `exit ${exit}`;
      return `${fence(`$ ${commandLine(text(payload, "command") ?? "")}${output ? `\n${output}` : ""}`, "console")}\n\n*${ending}*`;
    }
    case "fileChange":
      return list(payload.changes)
        .map(fields)
        .map(
          (change) =>
            `\`${text(change, "path") ?? ""}\` (${text(fields(change.kind), "type") ?? "update"})\n\n${fence(text(change, "diff") ?? "", "diff")}`,
        )
        .join("\n\n");
    case "webSearch":
      return `*Searched: ${text(payload, "query") ?? ""}*`;
    case "contextCompaction":
      return "---\n\n*Context compacted*";
    default:
      return `### ${item.type}\n\n${fence(JSON.stringify(payload, null, 2), "json")}`;
  }
}

/** A fence longer than any inside. */
function fence(body: string, language: string): string {
  const longest = Math.max(2, ...[...body.matchAll(/`{3,}/g)].map(([run]) => run.length));
  const mark = "`".repeat(longest + 1);
  return `${mark}${language}\n${body}\n${mark}`;
}
