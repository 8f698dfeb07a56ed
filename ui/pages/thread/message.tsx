import { setDraft } from "../../composer/drafts";
import { CopyButton, copy } from "../../parts/copy";
import { Icon } from "../../parts/icons";
import { Ago } from "../../parts/time";
import { toast } from "../../parts/toast";
import { machines } from "../../shell/machines";
import { threadPath } from "../../shell/routes";
import { fields, list } from "../../transcript/fields";
import type { Item } from "../../transcript/transcript";
import { failureLine, UserText, Way, whereIs } from "./bubble";
import type { Conversation } from "./conversation";
import type { ItemProps } from "./item";
import { Markdown } from "./markdown-text";
import { anchorId } from "./reveal";

/** What the person wrote, and how far it has got. */
export function UserMessage({ talk, item, lastTurn }: ItemProps) {
  const turn = talk.turn(item.turnId).value;
  const workerId = turn?.workerId ?? talk.head.value.workerId;
  const machine = machines.value.find(({ id }) => id === workerId);
  const cancelled =
    item.failure?.message === "turn interrupted before dispatch" ||
    (turn?.status === "interrupted" && item.stage === "stored");
  const where = whereIs(
    cancelled ? "failed" : item.stage,
    machine?.name ?? "your machine",
    machine?.live ?? false,
    cancelled,
  );
  const why = failureLine(item.failure);
  const images = list(item.payload.content)
    .map(fields)
    .filter((part) => part.type !== "text");
  return (
    <article class={item.stage === "failed" ? "row-you unsent" : "row-you"} aria-label="Your message">
      <UserText text={item.text}>
        {images.length > 0 && (
          <p class="attached">{images.map((part) => String(part.name ?? part.path ?? part.type)).join(", ")}</p>
        )}
        <div class="you-foot">
          <Actions talk={talk} item={item} edit={lastTurn} />
          {where && (item.stage !== "applied" || lastTurn) && <Way where={where} />}
          {why && <span class="why">{why}</span>}
          {item.stage === "failed" && !cancelled && (
            <button type="button" class="button small" onClick={() => edit(talk, item)}>
              Edit and resend
            </button>
          )}
        </div>
      </UserText>
    </article>
  );
}

/** What Codex said. */
export const AgentMessage = ({ talk, item }: ItemProps) => (
  <article class="said" aria-label="Codex">
    <Markdown text={item.text} complete={item.status !== "inProgress"} />
    {item.status === "interrupted" && <p class="cut">Stopped here.</p>}
    {item.status !== "inProgress" && (
      <div class="said-foot">
        <Actions talk={talk} item={item} edit={false} />
      </div>
    )}
  </article>
);

function edit(talk: Conversation, item: Item) {
  setDraft(talk.threadId, item.text);
  const area = document.getElementById("chat-input");
  area?.focus();
  if (area instanceof HTMLTextAreaElement) area.setSelectionRange(item.text.length, item.text.length);
}

function quote(talk: Conversation, item: Item) {
  const selected = getSelection()?.toString().trim() || item.text.trim();
  const quoted = selected
    .split("\n")
    .map((line) => `> ${line}`)
    .join("\n");
  setDraft(talk.threadId, `${quoted}\n\n`);
  document.getElementById("chat-input")?.focus();
}

const words = (item: Item): string => {
  const row = document.querySelector(`[data-row="${CSS.escape(item.key)}"] .prose`);
  // biome-ignore lint/performance/useDomNodeTextContent: as it is read, with line breaks
  return row instanceof HTMLElement ? row.innerText : item.text;
};

function Actions({ talk, item, edit: editable }: { talk: Conversation; item: Item; edit: boolean }) {
  const link = () => {
    const url = `${location.origin}${threadPath(talk.threadId)}#${anchorId(item.id)}`;
    void copy(url).then((done) => toast(done ? "Link copied." : "Copying failed.", { stay: 2000 }));
  };
  const at = item.completedAt ?? item.startedAt;
  const agent = item.type === "agentMessage";
  return (
    <span class="actions">
      <CopyButton text={() => (agent ? words(item) : item.text)} label="Copy message" />
      {agent && (
        <button
          type="button"
          class="icon-button small"
          aria-label="Copy as Markdown"
          title="Copy as Markdown"
          onClick={() =>
            void copy(item.text).then((done) => toast(done ? "Markdown copied." : "Copying failed.", { stay: 2000 }))
          }
        >
          <Icon name="file" />
        </button>
      )}
      <button
        type="button"
        class="icon-button small"
        aria-label="Copy link to this message"
        title="Copy link"
        onClick={link}
      >
        <Icon name="link" />
      </button>
      <button
        type="button"
        class="icon-button small"
        aria-label="Quote in reply"
        title="Quote"
        onClick={() => quote(talk, item)}
      >
        <Icon name="quote" />
      </button>
      {editable && (
        <button
          type="button"
          class="icon-button small"
          aria-label="Edit and resend"
          title="Edit and resend"
          onClick={() => edit(talk, item)}
        >
          <Icon name="pencil" />
        </button>
      )}
      {at !== null && (
        <span class="when">
          <Ago at={at} form="short" />
        </span>
      )}
    </span>
  );
}
