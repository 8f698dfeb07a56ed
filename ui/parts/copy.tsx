import { useEffect, useState } from "preact/hooks";
import { announce } from "./announce";
import { Icon } from "./icons";

/** Copies a text to the clipboard, also where the page has no clipboard permission (plain http). */
export async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "sr-only";
    (document.querySelector("dialog[open]") ?? document.body).append(area);
    const before = document.activeElement;
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (before instanceof HTMLElement) before.focus({ preventScroll: true });
    return done;
  }
}

/**
 * Copies exactly `text`; shows `Copied` for 1.5 s and announces it. `label` names what is copied; `words` shows it beside the
 * icon, or a shorter word for it.
 */
export function CopyButton({
  text,
  label,
  words = false,
}: {
  text: string | (() => string);
  label: string;
  words?: boolean | string;
}) {
  const [done, setDone] = useState(false);
  useEffect(() => {
    if (!done) return;
    const timer = setTimeout(() => setDone(false), 1500);
    return () => clearTimeout(timer);
  }, [done]);
  const run = async () => {
    if (!(await copy(typeof text === "string" ? text : text()))) return announce("Copying failed.", "assertive");
    setDone(true);
    announce("Copied");
  };
  return (
    <button
      type="button"
      class={words ? "button small" : "icon-button small"}
      aria-label={words === true || (words && done) ? undefined : label}
      title={label}
      onClick={run}
    >
      <Icon name={done ? "check" : "copy"} />
      {words ? (done ? "Copied" : words === true ? label : words) : done && <span class="copied">Copied</span>}
    </button>
  );
}

/** A command to type elsewhere, with its copy button. */
export const Command = ({ text }: { text: string }) => (
  <div class="command">
    <code>{text}</code>
    <CopyButton text={text} label={`Copy ${text}`} />
  </div>
);
