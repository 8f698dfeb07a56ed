import { fields, text } from "../../transcript/fields";
import type { Item } from "../../transcript/transcript";
import { ChangesCard } from "./changes";
import { CommandCard } from "./command";
import type { Conversation } from "./conversation";
import { Markdown } from "./markdown-text";
import { AgentMessage, UserMessage } from "./message";
import { RawCard } from "./raw";
import { Reasoning } from "./reasoning";
import { Step } from "./step";
import { ToolCard } from "./tool";

export interface ItemProps {
  talk: Conversation;
  item: Item;
  lastTurn: boolean;
}

/** One item by its type (web-ui 7.2); a type nobody has drawn shows as JSON. */
export function ItemView(props: ItemProps) {
  const { item } = props;
  const { payload } = item;
  switch (item.type) {
    case "userMessage":
      return <UserMessage {...props} />;
    case "agentMessage":
      return <AgentMessage {...props} />;
    case "reasoning":
      return <Reasoning {...props} />;
    case "commandExecution":
      return <CommandCard {...props} />;
    case "fileChange":
      return <ChangesCard {...props} />;
    case "mcpToolCall":
    case "dynamicToolCall":
    case "collabAgentToolCall":
      return <ToolCard {...props} />;
    case "plan":
      return (
        <article class="card">
          <header>
            <span class="card-name">Plan</span>
          </header>
          <div class="card-prose">
            <Markdown text={item.text} complete={item.status !== "inProgress"} />
          </div>
        </article>
      );
    case "webSearch": {
      const query = text(payload, "query") ?? text(fields(payload.action), "query", "url");
      const done = item.status !== "inProgress";
      return <Step icon="globe">{query ? `${done ? "Searched" : "Searching"} “${query}”` : "Searching the web"}</Step>;
    }
    case "imageView":
      return <Step icon="eye">Viewed {text(payload, "path") ?? "an image"}</Step>;
    case "enteredReviewMode":
      return <Step icon="eye">Review started{text(payload, "review") ? `: ${text(payload, "review")}` : ""}</Step>;
    case "exitedReviewMode":
      return (
        <div>
          <Step icon="check">Review finished</Step>
          {text(payload, "review") && <Markdown text={text(payload, "review") ?? ""} complete />}
        </div>
      );
    case "contextCompaction":
      return <p class="divider">Context compacted</p>;
    default:
      return <RawCard title={item.type} value={payload} open={false} />;
  }
}
