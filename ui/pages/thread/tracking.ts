import { useEffect, useRef } from "preact/hooks";
import { session } from "../../session";
import { track } from "../../telemetry/track";
import type { Conversation } from "./conversation";

/** Counts what happens in a chat: opened, answered or not. Never what was written. */
export function useChatTracking(threadId: string | undefined, talk: Conversation | null, runningTurn: string | null) {
  const known = session.value.kind === "user" || session.value.kind === "guest";
  useEffect(() => {
    if (!known) return;
    track("home_chat.page_opened", { isGuest: session.peek().kind === "guest", conversationId: threadId ?? null });
  }, [threadId, known]);

  const before = useRef<{ talk: Conversation | null; turn: string | null }>({ talk: null, turn: null });
  useEffect(() => {
    const { talk: same, turn } = before.current;
    before.current = { talk, turn: runningTurn };
    if (!talk || talk !== same || !turn || turn === runningTurn) return;
    const { turns, items } = talk.transcript;
    const ended = turns.findLast(({ id }) => id === turn);
    if (!ended) return;
    const answered = ended.items.some((key) => {
      const item = items.get(key);
      return item?.type === "agentMessage" && item.text !== "";
    });
    const messages = [...items.values()].filter(({ type }) => type === "userMessage" || type === "agentMessage");
    track(answered ? "home_chat.response_completed" : "home_chat.response_empty", {
      conversationId: talk.threadId,
      messageCount: messages.length,
    });
  }, [talk, runningTurn]);
}
