import { useMemo, useState } from "preact/hooks";
import { duration } from "../../parts/clock";
import { Icon } from "../../parts/icons";
import { parseDiff } from "../../transcript/diff";
import { type Summary, summarise } from "../../transcript/summary";
import type { Turn } from "../../transcript/transcript";
import type { Conversation } from "./conversation";
import { Counts, DiffFiles } from "./diff-files";
import { useRemembered } from "./memory";
import { PlanList } from "./plan";
import { reveal } from "./reveal";

/** How a turn ended: its error, and a bar with what it did; each part leads to it. */
export function TurnEnd({ talk, turn, last }: { talk: Conversation; turn: Turn; last: boolean }) {
  const [plan, showPlan] = useRemembered(talk, `plan ${turn.id}`, false);
  const [diff, showDiff] = useRemembered(talk, `diff ${turn.id}`, false);
  const summary = summarise(talk.transcript, turn);
  const { before } = talk.head.value;
  // Counted from what is here.
  const more = before?.turn === turn.id && before.item !== null ? "+" : "";
  if (turn.status === "queued") return null;
  const never = turn.startedAt === null && turn.durationMs === null && summary.items === 0;
  return (
    <>
      {turn.status === "failed" && turn.error && !never && <ErrorCard error={turn.error} talk={talk} last={last} />}
      {!never && (
        <div class="turn-end">
          <b>{ended(turn)}</b>
          {summary.files > 0 && (
            <button
              type="button"
              class="link-button"
              aria-expanded={turn.diff ? diff : undefined}
              onClick={() => (turn.diff ? showDiff(!diff) : go(summary.firstFile))}
            >
              {`${summary.files}${turn.diff ? "" : more}`} {summary.files === 1 ? "file" : "files"} changed{" "}
              <Counts added={summary.added} removed={summary.removed} />
            </button>
          )}
          {summary.commands > 0 && (
            <button type="button" class="link-button" onClick={() => go(summary.firstCommand)}>
              {`${summary.commands}${more}`} {summary.commands === 1 ? "command" : "commands"}
              {summary.failed > 0 && <span class="tone-bad"> ({summary.failed} failed)</span>}
            </button>
          )}
          {turn.plan && turn.plan.length > 0 && (
            <button type="button" class="link-button" aria-expanded={plan} onClick={() => showPlan(!plan)}>
              Plan {turn.plan.filter(({ status }) => status === "completed").length}/{turn.plan.length}
            </button>
          )}
          {turn.usage && (
            <span
              class="number"
              title={`${turn.usage.input.toLocaleString("en")} in (${turn.usage.cached.toLocaleString("en")} cached), ${turn.usage.output.toLocaleString("en")} out`}
            >
              {short(turn.usage.total)} tokens
            </span>
          )}
        </div>
      )}
      {plan && turn.plan && (
        <article class="card">
          <PlanList steps={turn.plan} />
        </article>
      )}
      {diff && turn.diff && <TurnDiff talk={talk} turn={turn} />}
    </>
  );
}

function TurnDiff({ talk, turn }: { talk: Conversation; turn: Turn }) {
  const files = useMemo(() => parseDiff(turn.diff ?? ""), [turn.diff]);
  return <DiffFiles talk={talk} name={`turn ${turn.id}`} files={files} note={null} open={null} />;
}

const go = (key: Summary["firstFile"]) => {
  if (key) void reveal(key, { focus: true });
};

function ended(turn: Turn): string {
  const took = turn.durationMs === null ? null : duration(turn.durationMs);
  if (turn.status === "interrupted") return took ? `Stopped after ${took}` : "Stopped";
  if (turn.status === "failed") return took ? `Failed after ${took}` : "Failed";
  return took ? `Worked for ${took}` : "Done";
}

export const short = (tokens: number): string =>
  tokens < 1000
    ? String(tokens)
    : tokens < 100_000
      ? `${(tokens / 1000).toFixed(1)}k`
      : `${Math.round(tokens / 1000)}k`;

const markup = /<!doctype html|<html/i;

function ErrorCard({ error, talk, last }: { error: NonNullable<Turn["error"]>; talk: Conversation; last: boolean }) {
  const [open, setOpen] = useState(false);
  const message = markup.test(error.message)
    ? "Chat request failed due to a server response error. Please retry or start a new chat."
    : error.message || "Chat request failed. Please try again.";
  const details = typeof error.details === "string" && !markup.test(error.details) ? error.details : null;
  const limit = talk.head.value.rateLimit;
  const resets = error.code === "usageLimitExceeded" && limit?.resetsAt ? new Date(limit.resetsAt) : null;
  return (
    <article class="card error-card" aria-live={last ? "assertive" : undefined}>
      <header>
        <Icon name="alert" />
        <span class="card-name">{message}</span>
      </header>
      {resets && <p class="why">The limit resets {resets.toLocaleString()}.</p>}
      {details && (
        <>
          <button type="button" class="link-button" aria-expanded={open} onClick={() => setOpen(!open)}>
            {open ? "Hide details" : "Details"}
          </button>
          {open && <pre>{details}</pre>}
        </>
      )}
    </article>
  );
}
