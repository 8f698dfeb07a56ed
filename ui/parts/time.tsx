import { ago, day, exact, minute } from "./clock";

/** Relative time with the exact one as title; updates each minute. Takes an ISO text or milliseconds. */
export function Ago({ at, form = "long" }: { at: string | number; form?: "long" | "short" }) {
  const ms = typeof at === "number" ? at : Date.parse(at);
  if (!Number.isFinite(ms)) return <span>Unknown time</span>;
  return (
    <time dateTime={new Date(ms).toISOString()} title={exact(ms)}>
      {ago(ms, Math.max(minute.value, ms), form)}
    </time>
  );
}

/** A day in the person's words, the exact time as title: for what lies ahead. */
export function When({ at }: { at: string }) {
  const ms = Date.parse(at);
  if (!Number.isFinite(ms)) return <span>Unknown time</span>;
  return (
    <time dateTime={new Date(ms).toISOString()} title={exact(ms)}>
      {day(ms)}
    </time>
  );
}
