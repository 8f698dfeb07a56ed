import { useMemo, useState } from "preact/hooks";
import { CopyButton } from "../../parts/copy";
import { Icon } from "../../parts/icons";
import { JsonTree } from "../../parts/json-tree";

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

/** More than this is read in a tree, not as text. */
const LONG = 2000;

/** The JSON a text holds, when it is an object or a list; else the text itself. */
function held(text: string): unknown {
  if (!/^\s*[[{]/.test(text)) return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** Pretty-printed JSON with a copy button, a tree where it is long; only text, whatever is in it. */
export function Json({ value, label }: { value: unknown; label?: string }) {
  const text = useMemo(() => (typeof value === "string" ? value : pretty(value)), [value]);
  const long = text.length > LONG;
  const tree = useMemo(() => (long && typeof value === "string" ? held(value) : value), [value, long]);
  return (
    <div class="json">
      <div class="json-bar">
        <span>{label}</span>
        <CopyButton text={text} label={`Copy ${label ?? "JSON"}`} />
      </div>
      {long && typeof tree === "object" && tree !== null ? (
        <JsonTree value={tree} label={label ?? "JSON"} />
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a part that scrolls must be reachable by keyboard
        <pre tabIndex={0}>{text.length > 100_000 ? `${text.slice(0, 100_000)}\n…` : text}</pre>
      )}
    </div>
  );
}
