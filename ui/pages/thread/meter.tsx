import type { LogProps } from "./chat";
import { short } from "./turn-end";

const WARNING = 80;

/** How much of the model's context is used; and what the account's limit says, once it is near. */
export function Meter({ talk }: LogProps) {
  const { usage, rateLimit } = talk.head.value;
  const { last, total, window } = usage;
  const limited = rateLimit && rateLimit.usedPercent >= WARNING ? rateLimit : null;
  if (!last || !window) return limited ? <Limit {...limited} /> : null;
  const percent = Math.min(100, Math.round((last.total / window) * 100));
  const full = percent >= WARNING;
  const lines = [
    `${percent}% of context used: ${last.total.toLocaleString("en")} of ${window.toLocaleString("en")} tokens`,
    `Last turn: ${last.input.toLocaleString("en")} in (${last.cached.toLocaleString("en")} cached), ${last.output.toLocaleString("en")} out (${last.reasoning.toLocaleString("en")} reasoning)`,
    total ? `Thread: ${total.total.toLocaleString("en")} tokens` : "",
  ].filter(Boolean);
  return (
    <>
      {limited && <Limit {...limited} />}
      <span class={full ? "pick still meter-text tone-warn" : "pick still meter-text"} title={lines.join("\n")}>
        <meter class="meter" min={0} max={100} high={WARNING} value={percent} aria-label={lines[0]} />
        <span class="number">{full ? `${percent}% of ${short(window)} used` : `${percent}%`}</span>
      </span>
    </>
  );
}

const Limit = ({ usedPercent, resetsAt }: { usedPercent: number; resetsAt: number | null }) => (
  <span
    class="pick still tone-warn"
    title={
      resetsAt ? `The account's limit resets ${new Date(resetsAt).toLocaleString()}` : "The account's limit is near"
    }
  >
    {Math.round(usedPercent)}% of limit
  </span>
);
