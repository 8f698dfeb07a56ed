/** What is typed and not sent, per thread; it outlives navigation and reload (web-ui 7.2). `new` is the home page. */
const key = (threadId: string | null) => `oa.draft.${threadId ?? "new"}`;

export function readDraft(threadId: string | null): string {
  try {
    return sessionStorage.getItem(key(threadId)) ?? "";
  } catch {
    return "";
  }
}

export function writeDraft(threadId: string | null, text: string): void {
  try {
    if (text) sessionStorage.setItem(key(threadId), text);
    else sessionStorage.removeItem(key(threadId));
  } catch {
    // storage is off or full: the draft lives as long as the page
  }
}

const PENDING = "oa.pending_prompt";

/** A prompt that a guest chose before signing in: handed out once, to be placed in the composer, not sent. */
export function takePendingPrompt(): string {
  try {
    const text = sessionStorage.getItem(PENDING) ?? "";
    sessionStorage.removeItem(PENDING);
    return text;
  } catch {
    return "";
  }
}

export function rememberPendingPrompt(text: string): void {
  try {
    sessionStorage.setItem(PENDING, text);
  } catch {
    // without storage the prompt has to be chosen again
  }
}
