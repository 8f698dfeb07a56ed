import { type Signal, signal } from "@preact/signals";

/** What is typed and not sent, per thread; it outlives navigation and reload (web-ui 7.2). Null is the home page. */
const key = (threadId: string | null) => `oa.draft.${threadId ?? "new"}`;

const drafts = new Map<string, Signal<string>>();

function stored(name: string): string {
  try {
    return sessionStorage.getItem(name) ?? "";
  } catch {
    return "";
  }
}

/** The draft of a thread, to read and to follow. */
export function draftOf(threadId: string | null): Signal<string> {
  const name = key(threadId);
  const known = drafts.get(name);
  if (known) return known;
  const made = signal(stored(name));
  drafts.set(name, made);
  return made;
}

export function setDraft(threadId: string | null, text: string): void {
  draftOf(threadId).value = text;
  try {
    if (text) sessionStorage.setItem(key(threadId), text);
    else sessionStorage.removeItem(key(threadId));
  } catch {
    // storage is off or full: the draft lives as long as the page
  }
}

/** Gives a text back to the person: after what is typed already, never over it. */
export function returnToDraft(threadId: string | null, text: string): void {
  const now = draftOf(threadId).peek();
  setDraft(threadId, now.trim() === "" ? text : `${now.trimEnd()}\n\n${text}`);
}

/** Forgets every draft: the next person at this tab is somebody else. */
export function forgetDrafts(): void {
  for (const [name, draft] of drafts) {
    draft.value = "";
    try {
      sessionStorage.removeItem(name);
    } catch {
      // storage is off
    }
  }
}
