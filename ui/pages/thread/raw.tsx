import { useState } from "preact/hooks";
import { CopyButton } from "../../parts/copy";
import { Icon } from "../../parts/icons";

const pretty = (value: unknown): string => JSON.stringify(value, null, 2) ?? "null";

/** Something as its JSON, folded: item types nobody has drawn yet, and cards that broke. */
export function RawCard({ title, value, open: atFirst }: { title: string; value: unknown; open: boolean }) {
  const [open, setOpen] = useState(atFirst);
  return (
    <article class="card">
      <header>
        <button type="button" class="card-fold" aria-expanded={open} onClick={() => setOpen(!open)}>
          <Icon name="wrench" />
          <span class="card-name">{title}</span>
          <span class="end">
            <Icon name={open ? "up" : "down"} />
          </span>
        </button>
      </header>
      {open && <Json value={value} />}
    </article>
  );
}

/** Pretty-printed JSON with a copy button; only text, whatever is in it. */
export function Json({ value, label }: { value: unknown; label?: string }) {
  const text = typeof value === "string" ? value : pretty(value);
  return (
    <div class="json">
      <div class="json-bar">
        <span>{label}</span>
        <CopyButton text={text} label={`Copy ${label ?? "JSON"}`} />
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a part that scrolls must be reachable by keyboard */}
      <pre tabIndex={0}>{text.length > 100_000 ? `${text.slice(0, 100_000)}\n…` : text}</pre>
    </div>
  );
}
