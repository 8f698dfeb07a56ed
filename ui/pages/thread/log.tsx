import "./thread.css";
import { useEffect, useState } from "preact/hooks";
import { announce } from "../../parts/announce";
import { mac } from "../../shell/keys";
import { hash } from "../../shell/router";
import { AskCard } from "./ask";
import type { LogProps } from "./chat";
import type { Conversation } from "./conversation";
import { FindBar, findOpen, openFind } from "./find";
import { Older } from "./older";
import { reveal } from "./reveal";
import { TurnView } from "./turn";

export { Dock } from "./dock";
export { exportThread } from "./export";
export { openFind } from "./find";
export { Meter } from "./meter";
export { TopActions } from "./top-actions";

/** The conversation itself. */
export function Log({ talk }: LogProps) {
  const ids = talk.turnIds.value;
  const { before, pending } = talk.head.value;
  const from = useFirstThingsFirst(ids.length);
  const stray = pending.filter((ask) => ask.turnId === null);
  useAnnouncements(talk);
  useLink(talk);
  useFindKey(talk);
  return (
    <>
      {findOpen.value && <FindBar talk={talk} />}
      {before?.item === null && from === 0 && <Older talk={talk} before={before} />}
      {ids.length === 0 && talk.phase.value.kind === "ready" && (
        <p class="log-empty">No transcript messages yet for this thread.</p>
      )}
      {ids.slice(from).map((id, n, shown) => (
        <TurnView key={id} talk={talk} id={id} last={n === shown.length - 1} recent={n >= shown.length - FIRST} />
      ))}
      {stray.map(({ id }) => (
        <AskCard key={id} talk={talk} id={id} />
      ))}
    </>
  );
}

/** Turns that are drawn before anything else: the end of the conversation is what one opens it for. */
const FIRST = 3;

/** The index of the first turn to draw: near the end at first, 0 as soon as the end has been painted. */
function useFirstThingsFirst(count: number): number {
  const [all, setAll] = useState(false);
  const any = count > 0;
  useEffect(() => {
    if (!any) return;
    let frame = requestAnimationFrame(() => {
      frame = requestAnimationFrame(() => setAll(true));
    });
    return () => cancelAnimationFrame(frame);
  }, [any]);
  return all ? 0 : Math.max(0, count - FIRST);
}

/** `Ctrl/Cmd+F` searches the thread: the browser's own search sees neither folded nor distant parts. */
function useFindKey(talk: Conversation) {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const mod = mac ? event.metaKey : event.ctrlKey;
      if (!mod || event.altKey || event.shiftKey || event.key.toLowerCase() !== "f") return;
      if (document.querySelector("dialog[open]")) return;
      event.preventDefault();
      openFind(talk);
    };
    addEventListener("keydown", onKey);
    return () => {
      removeEventListener("keydown", onKey);
      findOpen.value = false;
    };
  }, [talk]);
}

const SPOKEN = 400;

/** One announcement a finished message, none a delta (web-ui 7.2). */
function useAnnouncements(talk: Conversation) {
  useEffect(
    () =>
      talk.onItemDone((item) => {
        if (item.type === "agentMessage") announce(item.text.slice(0, SPOKEN));
      }),
    [talk],
  );
}

/** `#item-<id>` shows that item, reading older turns until it is there. */
function useLink(talk: Conversation) {
  const target = hash.value.startsWith("#item-") ? decodeURIComponent(hash.value.slice(6)) : null;
  const ready = talk.phase.value.kind === "ready";
  useEffect(() => {
    if (!target || !ready) return;
    let left = false;
    const find = () => {
      for (const item of talk.transcript.items.values()) if (item.id === target) return item.key;
      return null;
    };
    void (async () => {
      let key = find();
      while (!key && !left && (await talk.older())) key = find();
      if (key && !left) await reveal(key, { focus: true });
    })();
    return () => {
      left = true;
    };
  }, [target, ready, talk]);
}
