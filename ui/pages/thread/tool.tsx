import { Pill, type Tone } from "../../parts/dot";
import { Icon } from "../../parts/icons";
import { count, fields, list, text } from "../../transcript/fields";
import type { Item } from "../../transcript/transcript";
import type { ItemProps } from "./item";
import { useRemembered } from "./memory";
import { Json } from "./raw";
import { revealed } from "./reveal";
import { took } from "./took";

/** Badge words of the baseline (web-ui 7.2). */
export function badge(item: Item, awaiting: boolean): { word: string; tone: Tone } {
  if (awaiting) return { word: "Awaiting Approval", tone: "warn" };
  if (item.status === "inProgress") return { word: "Running", tone: "busy" };
  if (item.status === "declined") return { word: "Denied", tone: "bad" };
  if (item.status === "failed" || item.payload.error || item.payload.success === false)
    return { word: "Error", tone: "bad" };
  if (item.status === "interrupted") return { word: "Stopped", tone: "off" };
  return { word: "Completed", tone: "ok" };
}

/** A call of a tool: its parameters, and what came back. */
export function ToolCard({ talk, item }: ItemProps) {
  const { payload } = item;
  const awaiting = talk.head.value.pending.some((ask) => ask.itemId === item.id && ask.turnId === item.turnId);
  const { word, tone } = badge(item, awaiting);
  const [chosen, setOpen] = useRemembered<boolean | null>(talk, `tool ${item.key}`, null);
  const open = chosen ?? (word === "Error" || word === "Denied" || awaiting || revealed.value?.key === item.key);
  const server = text(payload, "server", "namespace");
  const name = text(payload, "tool") ?? item.type;
  const ms = count(payload, "durationMs");
  const error = fields(payload.error);
  const result = payload.result ?? payload.contentItems ?? null;
  return (
    <article class="card">
      <header>
        <button type="button" class="card-fold" aria-expanded={open} onClick={() => setOpen(!open)}>
          <Icon name="wrench" />
          <code>{server ? `${server}.${name}` : name}</code>
          {item.status === "inProgress" && item.text && <span class="progress">{item.text}</span>}
          <span class="end">
            {ms !== null && <span class="number">{took(ms)}</span>}
            <Pill tone={tone}>{word}</Pill>
            <Icon name={open ? "up" : "down"} />
          </span>
        </button>
      </header>
      {open && (
        <div class="card-body">
          <Json label="Parameters" value={payload.arguments ?? payload.prompt ?? {}} />
          {Object.keys(error).length > 0 ? (
            <Json label="Error" value={text(error, "message") ?? error} />
          ) : (
            result !== null && <Json label="Result" value={shown(result)} />
          )}
        </div>
      )}
    </article>
  );
}

/** MCP results are mostly one text; then that text is what a person wants to see. */
function shown(result: unknown): unknown {
  const content = list(fields(result).content ?? result).map(fields);
  const texts = content.map((part) => (part.type === "text" || part.type === "inputText" ? part.text : null));
  return content.length > 0 && texts.every((part) => typeof part === "string") ? texts.join("\n") : result;
}
