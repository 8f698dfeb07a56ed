import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { returnToDraft } from "../../composer/drafts";
import type { Outgoing } from "../../composer/outbox";
import { release, withdraw } from "../../composer/outbox";
import { Icon, type IconName } from "../../parts/icons";
import { away } from "../../status";
import type { Failure, Stage } from "../../transcript/transcript";

/** Where something is on its way, as a word with a sign (the last metre). */
export interface Where {
  icon: IconName;
  word: string;
  tone: "off" | "busy" | "ok" | "bad" | "warn";
  hint: string;
}

/** A message that our server has: how far it got. `live` says whether the machine takes work now. */
export function whereIs(stage: Stage | null, machine: string, live: boolean, cancelled: boolean): Where | null {
  switch (stage) {
    case "stored":
      return live
        ? { icon: "check", word: "Stored", tone: "off", hint: "Stored on the server, on its way to the machine" }
        : {
            icon: "machine",
            word: `Stored · waiting for ${machine}`,
            tone: "warn",
            hint: "It runs as soon as the machine is back",
          };
    case "machine":
      return {
        icon: "machine",
        word: `On ${machine}`,
        tone: "busy",
        hint: "The machine has it; Codex has not shown it yet",
      };
    case "applied":
      return { icon: "check", word: "Applied", tone: "ok", hint: `Codex on ${machine} works with it` };
    case "failed":
      return cancelled
        ? { icon: "cross", word: "Cancelled before it ran", tone: "off", hint: "Stopped while it waited" }
        : { icon: "alert", word: "Not run", tone: "bad", hint: "The machine did not take it" };
    default:
      return null;
  }
}

export const Way = ({ where }: { where: Where }) => (
  <span class={`way tone-${where.tone}`} title={where.hint}>
    <Icon name={where.icon} />
    {where.word}
  </span>
);

const FOLD_LINES = 16;

/** What a person wrote, right-aligned; very long texts fold. */
export function UserText({ text, children }: { text: string; children?: ComponentChildren }) {
  const lines = text.split("\n");
  const long = lines.length > FOLD_LINES + 4 || text.length > 2400;
  const [open, setOpen] = useState(false);
  const shown = !long || open ? text : `${lines.slice(0, FOLD_LINES).join("\n").slice(0, 2000)}…`;
  return (
    <div class="you-box">
      <div class="you">
        {shown}
        {long && (
          <button type="button" class="link-button fold" aria-expanded={open} onClick={() => setOpen(!open)}>
            {open ? "Show less" : `Show all ${lines.length > 1 ? `${lines.length} lines` : ""}`}
          </button>
        )}
      </div>
      {children}
    </div>
  );
}

/** A message that is still in this browser. */
export function OutgoingBubble({ outgoing }: { outgoing: Outgoing }) {
  const refused = outgoing.state === "refused";
  const edit = () => {
    const back = withdraw(outgoing.requestId);
    if (back) returnToDraft(back.threadId, back.text);
    document.getElementById("chat-input")?.focus();
  };
  return (
    <article class={refused ? "row-you unsent" : "row-you"} aria-label="Your message">
      <UserText text={outgoing.text}>
        {refused ? (
          <div class="you-foot" role="alert">
            <span class="way tone-bad">
              <Icon name="alert" />
              Not sent
            </span>
            <span class="why">Send failed: {outgoing.why}</span>
            <button type="button" class="button small" onClick={() => release(outgoing.requestId)}>
              Retry
            </button>
            <button type="button" class="button small quiet" onClick={edit}>
              Edit
            </button>
          </div>
        ) : (
          <div class="you-foot">
            <span class={away.value ? "way tone-warn" : "way tone-off"}>
              <Icon name={away.value ? "alert" : "send"} />
              {away.value ? "Kept here until you're back online" : "Sending…"}
            </span>
            {outgoing.state === "waiting" && away.value && (
              <button type="button" class="button small quiet" onClick={edit}>
                Edit
              </button>
            )}
          </div>
        )}
      </UserText>
    </article>
  );
}

/** Messages that wait for the end of the running turn. */
export const Queued = ({ entries }: { entries: Outgoing[] }) => (
  <ol class="queue" aria-label="Queued messages">
    {entries.map(({ requestId, text, threadId }) => (
      <li key={requestId}>
        <span class="queue-word">Queued</span>
        <span class="queue-text">{text}</span>
        <button type="button" class="button small quiet" onClick={() => release(requestId)}>
          Send now
        </button>
        <button
          type="button"
          class="icon-button small"
          aria-label="Edit queued message"
          title="Edit"
          onClick={() => {
            if (withdraw(requestId)) returnToDraft(threadId, text);
            document.getElementById("chat-input")?.focus();
          }}
        >
          <Icon name="pencil" />
        </button>
        <button
          type="button"
          class="icon-button small"
          aria-label="Remove queued message"
          title="Remove"
          onClick={() => withdraw(requestId)}
        >
          <Icon name="cross" />
        </button>
      </li>
    ))}
  </ol>
);

export const failureLine = (failure: Failure | null): string | null =>
  failure && failure.message !== "turn interrupted before dispatch" ? failure.message : null;
