import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import { createJobs } from "../../src/jobs/create";
import type { JobKind, Jobs } from "../../src/jobs/jobs";
import { createLog } from "../../src/telemetry/log";
import { createMetrics } from "../../src/telemetry/metrics";
import { engines, type Fresh, freshDatabase } from "../support/database";

/** Waits until `met`, as long as the test may take. */
async function until(met: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await met())) await Bun.sleep(5);
}

for (const engine of engines) {
  describe(engine, () => {
    let fresh: Fresh;
    let lines: Record<string, unknown>[];
    const open: Jobs[] = [];

    const node = (...kinds: JobKind<never>[]) => {
      const mine = lines;
      const write = (text: string) => {
        for (const line of text.trim().split("\n")) mine.push(JSON.parse(line));
      };
      const log = createLog({ level: "debug", format: "json", write });
      const jobs = createJobs({
        store: fresh.store,
        log,
        metrics: createMetrics(),
        concurrency: 8,
        scheduleSeconds: 1,
      });
      for (const kind of kinds) jobs.define(kind);
      open.push(jobs);
      return jobs;
    };

    const put = (jobs: Jobs, kind: string, payload: unknown, options?: { startAt?: Date; key?: string }) =>
      fresh.store.db.transaction((tx) => jobs.enqueue(tx, kind, payload, options));

    const rows = () =>
      fresh.store.rows<{ name: string; state: string }>(
        sql`select name, state::text from jobs.job order by created_on`,
      );

    beforeAll(async () => {
      fresh = await freshDatabase(engine);
    });
    beforeEach(() => {
      lines = [];
    });
    afterEach(async () => {
      for (const jobs of open.splice(0)) await jobs.stop(0);
      await fresh.store.rows(sql`delete from jobs.job`);
      await fresh.store.rows(sql`delete from jobs.schedule`);
    });
    afterAll(() => fresh.drop());

    test("a stored job runs once, with its payload, and is logged", async () => {
      const seen: unknown[] = [];
      const jobs = node({
        kind: "a.b",
        tries: 3,
        backoffSeconds: 0,
        run: async (payload, job) => void seen.push([payload, job.try]),
      });
      await jobs.start();
      expect(jobs.ready()).toBe(true);
      await put(jobs, "a.b", { n: 1 });
      await until(() => lines.some((line) => line.outcome === "done"));
      expect(seen).toEqual([[{ n: 1 }, 1]]);
      const end = lines.find((line) => line.outcome === "done")!;
      expect(end).toMatchObject({ logger: "oa.job", kind: "a.b", try: 1, outcome: "done" });
      expect(end.lag_ms).toBeLessThan(1000);
    });

    test("a job of a transaction that rolls back never runs", async () => {
      const seen: unknown[] = [];
      const jobs = node({ kind: "a.b", tries: 1, backoffSeconds: 0, run: async (payload) => void seen.push(payload) });
      await jobs.start();
      const rolledBack = fresh.store.db.transaction(async (tx) => {
        await jobs.enqueue(tx, "a.b", { n: 1 });
        throw new Error("no");
      });
      expect(rolledBack).rejects.toThrow("no");
      await rolledBack.catch(() => {});
      await put(jobs, "a.b", { n: 2 });
      await until(() => seen.length > 0);
      expect(seen).toEqual([{ n: 2 }]);
      expect(await rows()).toHaveLength(1);
    });

    test("a failed try is repeated after the backoff, and the last one leaves a dead job", async () => {
      const tries: number[] = [];
      const jobs = node({
        kind: "fails",
        tries: 2,
        backoffSeconds: 1,
        run: async (_payload, job) => {
          tries.push(job.try);
          throw new Error("broken\nsecond line");
        },
      });
      await jobs.start();
      const start = performance.now();
      await put(jobs, "fails", null);
      await until(async () => (await rows()).some(({ state }) => state === "failed"));
      expect(tries).toEqual([1, 2]);
      expect(performance.now() - start).toBeGreaterThan(990);
      expect(performance.now() - start).toBeLessThan(4000);
      const ends = lines
        .filter((line) => line.logger === "oa.job" && line.outcome)
        .map(({ outcome, error_message }) => [outcome, error_message]);
      expect(ends).toEqual([
        ["retry", "broken"],
        ["dead", "broken"],
      ]);
    });

    test("a job starts at its exact time, not at the next minute or look", async () => {
      let ran = 0;
      const run = async () => {
        ran = Date.now();
      };
      const jobs = node({ kind: "timed", tries: 1, backoffSeconds: 0, run });
      await jobs.start();
      for (const wait of [250, 1850]) {
        ran = 0;
        const at = new Date(Date.now() + wait);
        await put(jobs, "timed", {}, { startAt: at });
        await until(() => ran > 0);
        expect(ran).toBeGreaterThanOrEqual(at.getTime());
        expect(ran - at.getTime()).toBeLessThan(800);
      }
    });

    test("a live job with the same key wins; a finished one does not", async () => {
      let go = () => {};
      const gate = new Promise<void>((resolve) => {
        go = resolve;
      });
      const seen: unknown[] = [];
      const jobs = node({
        kind: "keyed",
        tries: 1,
        backoffSeconds: 0,
        run: async (payload) => {
          seen.push(payload);
          await gate;
        },
      });
      await jobs.start();
      await put(jobs, "keyed", { n: 1 }, { key: "k" });
      await put(jobs, "keyed", { n: 2 }, { key: "k" });
      await put(jobs, "keyed", { n: 3 }, { key: "other" });
      await put(jobs, "keyed", { n: 4 });
      await until(() => seen.length === 3);
      go();
      await until(() => lines.filter((line) => line.outcome === "done").length === 3);
      await until(async () => (await rows()).every(({ state }) => state === "completed"));
      await put(jobs, "keyed", { n: 5 }, { key: "k" });
      await until(() => seen.length === 4);
      expect(seen.map((payload) => (payload as { n: number }).n).sort()).toEqual([1, 3, 4, 5]);
    });

    test("a node that runs nothing only stores", async () => {
      const seen: unknown[] = [];
      const kind = {
        kind: "a.b",
        tries: 1,
        backoffSeconds: 0,
        run: async (payload: unknown) => void seen.push(payload),
      };
      const silent = node(kind);
      await silent.start({ run: false });
      await put(silent, "a.b", { n: 1 });
      expect(silent.ready()).toBe(true);
      expect((await rows()).map(({ state }) => state)).toEqual(["created"]);
      expect(seen).toEqual([]);
      await silent.stop(0);
      await node(kind).start();
      await until(() => seen.length === 1);
    });

    test("stopping waits for what runs, gives back what runs too long, and no try is lost", async () => {
      const tries: number[] = [];
      let aborted = false;
      const kind: JobKind<never> = {
        kind: "slow",
        tries: 1,
        backoffSeconds: 0,
        run: (_payload, job) => {
          tries.push(job.try);
          if (tries.length > 1) return Promise.resolve();
          return new Promise((_, reject) => {
            job.signal.addEventListener("abort", () => {
              aborted = true;
              reject(new Error("stopped"));
            });
          });
        },
      };
      const first = node(kind);
      await first.start();
      await put(first, "slow", null);
      await until(() => tries.length === 1);
      await first.stop(50);
      expect(aborted).toBe(true);
      expect((await rows()).map(({ state }) => state)).toEqual(["created"]);
      await node(kind).start();
      await until(async () => (await rows()).every(({ state }) => state === "completed"));
      expect(tries).toEqual([1, 1]);
    });

    test.skipIf(engine === "postgres")(
      "what ran when the one process died runs again at once, as the next try",
      async () => {
        const tries: number[] = [];
        const kind = {
          kind: "crashed",
          tries: 2,
          backoffSeconds: 0,
          run: async (_: unknown, job: { try: number }) => void tries.push(job.try),
        };
        const before = node(kind);
        await before.start({ run: false });
        await put(before, "crashed", { n: 1 });
        await put(before, "crashed", { n: 2 });
        await before.stop(0);
        // As a process that is gone left them: one in its first try, one in its last.
        const left = sql`update jobs.job set state = 'active', started_on = now(), heartbeat_on = now()`;
        await fresh.store.rows(sql`${left}, retry_count = 0 where data->>'n' = '1'`);
        await fresh.store.rows(sql`${left}, retry_count = 1 where data->>'n' = '2'`);
        await node(kind).start();
        await until(() => tries.length > 0);
        await until(async () => (await rows()).every(({ state }) => state === "completed" || state === "failed"));
        expect(tries).toEqual([2]);
        expect((await rows()).map(({ state }) => state).sort()).toEqual(["completed", "failed"]);
      },
    );

    test("two nodes run one tick of a schedule once", async () => {
      const ran: string[] = [];
      const kind = (name: string) => ({
        kind: "tick",
        tries: 1,
        backoffSeconds: 0,
        run: async () => void ran.push(name),
      });
      for (const name of engine === "pglite" ? ["one"] : ["one", "two"]) {
        const jobs = node(kind(name));
        jobs.every("* * * * *", "tick");
        await jobs.start();
      }
      // A tick of this minute is due as soon as a pass looks; what the passes after it do is the question.
      await fresh.store.rows(sql`update jobs.schedule set cron = '* * * * * *' where name = 'tick'`);
      await until(() => ran.length > 0);
      const passes = new Set<string>();
      await until(async () => {
        const [row] = await fresh.store.rows<{ at: string }>(sql`select cron_on::text as at from jobs.version`);
        return passes.add(row!.at).size > 2;
      });
      const minutes = await fresh.store.rows<{ n: number }>(
        sql`select count(*) as n from jobs.job where name = 'tick' group by date_trunc('minute', created_on)`,
      );
      for (const { n } of minutes) expect(n).toBe(1);
    }, 15_000);

    test("what is declared wrongly is refused", async () => {
      const kind = { kind: "a.b", tries: 1, backoffSeconds: 0, run: async () => {} };
      const jobs = node(kind);
      expect(() => jobs.define(kind)).toThrow("a.b is declared twice");
      expect(jobs.enqueue(fresh.store.db, "a.b", {})).rejects.toThrow("not open");
      expect(jobs.ready()).toBe(false);
      await jobs.start({ run: false });
      expect(jobs.enqueue(fresh.store.db, "no.such", {})).rejects.toThrow("no job kind no.such");
      expect(jobs.enqueue(fresh.store.db, "a.b", 7)).rejects.toThrow("a payload is an object or null");
      expect(() => jobs.define({ ...kind, kind: "late" })).toThrow("before the start");
    });
  });
}
