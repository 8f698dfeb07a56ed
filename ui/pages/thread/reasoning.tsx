import { useEffect, useState } from "preact/hooks";
import { Icon } from "../../parts/icons";
import type { ItemProps } from "./item";
import { Markdown } from "./markdown-text";
import { remembered, useRemembered } from "./memory";
import { revealed } from "./reveal";

const CLOSES_AFTER_MS = 1000;

/** What the model thought: open while it comes, closed a second after, to be reopened at will. */
export function Reasoning({ talk, item }: ItemProps) {
  const running = item.status === "inProgress";
  const name = `reasoning ${item.key}`;
  const [open, setOpen] = useRemembered(talk, name, running);
  const [was, setWas] = useState(running);
  useEffect(() => {
    if (running) {
      setWas(true);
      return;
    }
    if (!was || remembered(talk, name)) return;
    const timer = setTimeout(() => setOpen(false), CLOSES_AFTER_MS);
    return () => clearTimeout(timer);
  }, [running]);
  const parts = item.summary.some((part) => part.trim()) ? item.summary : item.content;
  const words = parts.filter((part) => part.trim()).join("\n\n");
  const seconds =
    item.startedAt !== null && item.completedAt !== null
      ? Math.max(1, Math.round((item.completedAt - item.startedAt) / 1000))
      : null;
  const title = running ? "Thinking..." : seconds === null ? "Thought for a few seconds" : `Thought for ${seconds} s`;
  if (!words) {
    return (
      <p class="step">
        <Icon name="brain" />
        <span class={running ? "shimmer" : undefined}>{title}</span>
      </p>
    );
  }
  const shown = open || revealed.value?.key === item.key;
  return (
    <div class="reasoning">
      <button type="button" class="step" aria-expanded={shown} onClick={() => setOpen(!shown)}>
        <Icon name="brain" />
        <span class={running ? "shimmer" : undefined}>{title}</span>
        <Icon name={shown ? "up" : "down"} />
      </button>
      {shown && (
        <div class="reasoning-text">
          <Markdown text={words} complete={!running} />
        </div>
      )}
    </div>
  );
}
