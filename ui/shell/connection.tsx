import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Link } from "../khala/client";
import { khala } from "../khala/topics";
import { announce } from "../parts/announce";
import { Dot, type Tone } from "../parts/dot";
import { away } from "../status";

/** The pill's word and tone for a state of the connection (web-ui 16.1). Pure. */
export function describe(link: Link, offline: boolean): { word: string; tone: Tone } {
  if (offline) return { word: "Offline", tone: "bad" };
  switch (link.kind) {
    case "live":
      return { word: "Live", tone: "ok" };
    case "connecting":
      return { word: "Connecting", tone: "busy" };
    case "replaying":
      return { word: link.total > 0 ? `Replaying ${link.done}/${link.total}` : "Replaying", tone: "busy" };
    case "backoff":
      return { word: "Reconnecting", tone: "warn" };
    case "stopped":
      return { word: "Disconnected", tone: "bad" };
    default:
      return { word: "Idle", tone: "off" };
  }
}

const QUIET_MS = 5000;

/** What the live connection really does; a click shows where each topic stands and the last error. */
export function ConnectionPill() {
  const open = useSignal(false);
  const root = useRef<HTMLDivElement>(null);
  const { word, tone } = describe(khala.link.value, away.value);
  const kind = word.split(" ")[0];
  const said = useRef({ at: 0, word: "" });

  useEffect(() => {
    // Settled states only, at most one in five seconds; the last one is always said.
    const wait = Math.max(400, said.current.at + QUIET_MS - performance.now());
    const timer = setTimeout(() => {
      if (said.current.word === word || tone === "busy") return;
      if (said.current.word !== "") announce(`Connection: ${word}`);
      said.current = { at: performance.now(), word };
    }, wait);
    return () => clearTimeout(timer);
  }, [kind]);

  useEffect(() => {
    if (!open.value) return;
    const close = (event: Event) => {
      if (!root.current?.contains(event.target as Node)) open.value = false;
    };
    document.addEventListener("pointerdown", close);
    document.addEventListener("focusin", close);
    return () => {
      document.removeEventListener("pointerdown", close);
      document.removeEventListener("focusin", close);
    };
  }, [open.value]);

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: Esc from anything inside closes the panel
    <div
      class="anchor"
      ref={root}
      onKeyDown={(event) => {
        if (event.key !== "Escape" || !open.value) return;
        event.stopPropagation();
        open.value = false;
        root.current?.querySelector("button")?.focus();
      }}
    >
      <button
        type="button"
        class="chip"
        aria-expanded={open.value}
        aria-label={`Connection: ${word}`}
        onClick={() => {
          open.value = !open.value;
          khala.wake();
        }}
      >
        <Dot tone={tone} />
        <span class="number">{word}</span>
      </button>
      {open.value && <Panel />}
    </div>
  );
}

function Panel() {
  const link = khala.link.value;
  return (
    <section class="link-panel" aria-label="Connection details">
      <h2>{describe(link, away.value).word}</h2>
      {khala.positions.value.length > 0 ? (
        <dl>
          {khala.positions.value.map(({ topic, watermark }) => (
            <>
              <dt key={topic} title={topic}>
                {topic}
              </dt>
              <dd>{watermark.toLocaleString()}</dd>
            </>
          ))}
        </dl>
      ) : (
        <p class="hint">No topic is followed yet.</p>
      )}
      {khala.lastError.value && <p class="field-error">{khala.lastError.value}</p>}
    </section>
  );
}
