import { signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { Icon } from "./icons";

interface Toast {
  id: number;
  text: string;
  tone: "plain" | "bad";
  action?: { label: string; run: () => void } | undefined;
  /** Milliseconds on screen; null stays until dismissed. */
  stay: number | null;
  /** A second toast of one name replaces the first. */
  name?: string | undefined;
}

const toasts = signal<Toast[]>([]);
let next = 1;

/**
 * Shows a message that has no place on the page: session, sign-out, updates, undo. At most three; the oldest goes.
 * Returns a function that takes it away.
 */
export function toast(
  text: string,
  { tone = "plain", action, stay = 6000, name }: Partial<Omit<Toast, "id" | "text">> = {},
): () => void {
  const one: Toast = { id: next++, text, tone, action, stay, name };
  toasts.value = [...toasts.value.filter((old) => !name || old.name !== name), one].slice(-3);
  return () => dismiss(one.id);
}

const dismiss = (id: number) => {
  toasts.value = toasts.value.filter((one) => one.id !== id);
};

function Item({ toast }: { toast: Toast }) {
  const [held, hold] = useState(false);
  useEffect(() => {
    if (held || toast.stay === null) return;
    const timer = setTimeout(() => dismiss(toast.id), toast.stay);
    return () => clearTimeout(timer);
  }, [held, toast.id]);
  const act = () => {
    dismiss(toast.id);
    toast.action?.run();
  };
  return (
    <li
      class={`toast tone-${toast.tone}`}
      onMouseEnter={() => hold(true)}
      onMouseLeave={() => hold(false)}
      onFocusIn={() => hold(true)}
      onFocusOut={() => hold(false)}
      onKeyDown={(event) => event.key === "Escape" && dismiss(toast.id)}
    >
      <span>{toast.text}</span>
      {toast.action && (
        <button type="button" class="button small" onClick={act}>
          {toast.action.label}
        </button>
      )}
      <button type="button" class="icon-button small" aria-label="Dismiss" onClick={() => dismiss(toast.id)}>
        <Icon name="cross" />
      </button>
    </li>
  );
}

/** The stack; mounted once by the frame. `Esc` takes away the newest when no dialog is open. */
export function Toasts() {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const last = toasts.value.at(-1);
      if (event.key === "Escape" && !event.defaultPrevented && last && !document.querySelector("dialog[open]"))
        dismiss(last.id);
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
  return (
    <div class="toasts" role="status" aria-live="polite" aria-relevant="additions">
      <ol>
        {toasts.value.map((one) => (
          <Item key={one.id} toast={one} />
        ))}
      </ol>
    </div>
  );
}
