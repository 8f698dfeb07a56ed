import { type JobCursor, type JobState, jobStates, type ListedJob, listJobs } from "../../src/jobs/operator";
import { redact } from "../../src/telemetry/redact";
import type { Call } from "../command";
import { usage } from "../failure";
import { table, time } from "../print";
import { whole } from "../values";

const row = (job: ListedJob, withPayload: boolean) => ({
  id: job.id,
  kind: job.kind,
  state: job.state,
  tries: job.tries,
  run_at: time(job.run_at),
  created_at: time(job.created_at),
  last_error: job.last_error,
  ...(withPayload ? { payload: JSON.parse(redact(JSON.stringify(job.payload ?? null))) as unknown } : {}),
});

const cursorOf = (job: ListedJob) => `${job.created_at.toISOString()}_${job.id}`;

function readCursor(text: string | undefined): JobCursor | null {
  if (text === undefined) return null;
  const match = /^(\d{4}-[\dT:.-]+Z)_([0-9a-f-]{36})$/.exec(text);
  if (!match) throw usage("--cursor must be the next_cursor of a list");
  return { createdAt: match[1] as string, id: match[2] as string };
}

export const run = (call: Call): Promise<void> => showJobs(call, call.options.state as string | undefined);

/** The list in one state or all; with `--follow` it goes on with what is new until Ctrl-C. */
export async function showJobs({ ctx, options, io, json }: Call, wanted: string | undefined): Promise<void> {
  if (wanted !== undefined && !jobStates.includes(wanted as JobState)) {
    throw usage(`--state must be one of ${jobStates.join(", ")}, not '${wanted}'`);
  }
  const { kind, payload, follow, cursor } = options as {
    kind?: string;
    payload?: boolean;
    follow?: boolean;
    cursor?: string;
  };
  const limit = whole("--limit", options.limit ?? 50, 1, 1000);
  const state = (wanted as JobState | undefined) ?? null;
  const ask = { state, kind: kind ?? null, limit };
  const found = await listJobs(ctx.store, { ...ask, after: readCursor(cursor) });
  const data = found.slice(0, limit);
  const line = (job: ListedJob) => [job.id, job.kind, job.state, job.tries, time(job.run_at), job.last_error];
  const heads = ["id", "kind", "state", "tries", "run at", "last error"];
  if (follow) {
    const seen = new Map<string, string>();
    for (let jobs = data; ; jobs = await listJobs(ctx.store, { ...ask, after: null })) {
      for (const job of jobs.toReversed()) {
        const mark = `${job.state} ${job.tries}`;
        if (seen.get(job.id) === mark) continue;
        seen.set(job.id, mark);
        io.out(
          json
            ? `${JSON.stringify(row(job, payload === true))}\n`
            : `${line(job)
                .map((cell) => cell ?? "–")
                .join("  ")}\n`,
        );
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 1000);
        io.signal.addEventListener("abort", () => {
          clearTimeout(timer);
          resolve();
        });
      });
      if (io.signal.aborted) return;
    }
  }
  const last = data.at(-1);
  const next = found.length > limit && last ? cursorOf(last) : null;
  if (json)
    return io.out(`${JSON.stringify({ data: data.map((job) => row(job, payload === true)), next_cursor: next })}\n`);
  if (!data.length) return io.out("No jobs.\n");
  io.out(table(heads, data.map(line), io.columns));
  if (payload) for (const job of data) io.out(`${job.id}  ${JSON.stringify(row(job, true).payload)}\n`);
  if (next) io.err(`more with --cursor=${next}\n`);
}
