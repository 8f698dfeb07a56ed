import { signal } from "@preact/signals";
import type { Failure } from "../../failure";
import { Icon } from "../../parts/icons";
import { track } from "../../telemetry/track";

/** What went wrong in a chat and belongs to no card and no message: one at a time, until it is dismissed. */
const shown = signal<{ threadId: string; text: string; ofReading: boolean } | null>(null);

/** The words of the banner (web-ui 7.2); a server that answered with a page of markup is not quoted. Pure. */
export function chatErrorText({ message, status, body }: Pick<Failure, "message" | "status" | "body">): string {
  if (status > 0 && body === null)
    return "Chat request failed due to a server response error. Please retry or start a new chat.";
  return message.trim() || "Chat request failed. Please try again.";
}

/** `prefix` names what was tried; without it the conversation could not be read. */
export function showChatError(threadId: string, failure: Failure, prefix = "") {
  if (failure.kind === "aborted" || failure.kind === "unauthorized") return;
  const text = prefix + chatErrorText(failure);
  shown.value = { threadId, text, ofReading: prefix === "" };
  track("home_chat.error_shown", { conversationId: threadId, errorMessage: text });
}

/** The conversation was read: what kept it from being read is over. */
export function readAgain(threadId: string) {
  const now = shown.peek();
  if (now?.threadId === threadId && now.ofReading) shown.value = null;
}

export function ErrorBanner({ threadId }: { threadId: string }) {
  if (shown.value?.threadId !== threadId) return null;
  return (
    <div class="error-banner" role="alert">
      <Icon name="alert" />
      <span>{shown.value.text}</span>
      <button
        type="button"
        class="button small"
        onClick={() => {
          shown.value = null;
          track("home_chat.error_dismissed", { conversationId: threadId });
        }}
      >
        Dismiss
      </button>
    </div>
  );
}
