/** Length of a message as the server counts it: Unicode code points (codex-chat 2.11). */
export const LONGEST = 20_000;
const COUNTED_FROM = 18_000;

export interface Length {
  /** Shown as a counter near the limit, else null. */
  counter: string | null;
  error: string | null;
}

export function lengthOf(text: string): Length {
  if (text.length < COUNTED_FROM) return { counter: null, error: null };
  const points = [...text.trim()].length;
  if (points < COUNTED_FROM) return { counter: null, error: null };
  return {
    counter: `${points.toLocaleString("en")} / ${LONGEST.toLocaleString("en")}`,
    error: points > LONGEST ? "Message text exceeds 20000 characters." : null,
  };
}
