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
