/** One of the five tones of a state: emerald, sky, amber, rose, grey. */
export type Tone = "ok" | "busy" | "warn" | "bad" | "off";

/** A status dot. Colour is never the only signal: pass `label` unless the word stands beside it. */
export const Dot = ({ tone, label }: { tone: Tone | "none"; label?: string | undefined }) => (
  <span
    class={`dot dot-${tone}`}
    {...(label ? { role: "img", "aria-label": label, title: label } : { "aria-hidden": true })}
  />
);

/** A status word with a tint, for tables and cards. */
export const Pill = ({ tone, children }: { tone: Tone; children: string }) => (
  <span class={`pill tone-${tone}`}>{children}</span>
);

/** The tone of a worker, payment or sync state word (web-ui 4); unknown words are grey. */
export function toneOf(word: string): Tone {
  switch (word) {
    case "completed":
    case "running":
    case "in_sync":
    case "connected":
    case "active":
      return "ok";
    case "cached":
    case "starting":
    case "connecting":
      return "busy";
    case "blocked":
    case "stopping":
    case "lagging":
      return "warn";
    case "failed":
    case "error":
      return "bad";
    default:
      return "off";
  }
}
