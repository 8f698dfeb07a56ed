import { expect, test } from "bun:test";
import { expireRequests } from "../../src/codex/deadlines";
import { pruneEvents, pruneRequests } from "../../src/codex/prune";
import { notified, onBothEngines, receipt, threadsPath, workersPath } from "./world";

const receipts = async (
  world: Parameters<Parameters<typeof onBothEngines>[1]>[0],
  as: { id: number; email: string; token: string },
  workerId: string,
) => {
  const { json } = await world().get(as, `${workersPath}/${workerId}/stream?cursor=0`);
  return (json.data.events as { event_type: string; payload: Record<string, unknown> }[]).filter(
    ({ event_type }) => event_type === "worker.error" || event_type === "worker.response",
  );
};

onBothEngines("deadlines", (world) => {
  test("a request that nobody takes is given up after 600 s, with its job at that very instant", async () => {
    const ann = await world().person();
    const workerId = `codexw_q${ann.id}`;
    const before = world().app.jobs.length;
    const sent = await world().request(ann, workerId, {
      request_id: "r1",
      method: "turn/start",
      params: { thread_id: `q-${ann.id}`, text: "x" },
    });
    expect(sent.json.data.state).toBe("queued");
    const job = world()
      .app.jobs.slice(before)
      .find(({ kind }) => kind === "codex.request.deadlines");
    const due = Number(job?.options?.startAt) - world().app.clock.now().getTime();
    expect(due).toBeGreaterThan(590_000);
    expect(due).toBeLessThanOrEqual(601_000);
    world().app.clock.advance(599_000);
    expect(await expireRequests(world().app.ctx)).toBe(0);
    world().app.clock.advance(3_000);
    expect(await expireRequests(world().app.ctx)).toBe(1);
    const [error] = await receipts(world, ann, workerId);
    expect(error?.payload).toMatchObject({
      request_id: "r1",
      code: "worker_unavailable",
      message: "desktop session mapping unavailable",
      retryable: true,
    });
    const again = await world().request(ann, workerId, {
      request_id: "r1",
      method: "turn/start",
      params: { thread_id: `q-${ann.id}`, text: "x" },
    });
    expect(again.json.data).toMatchObject({ state: "failed", idempotent_replay: true });
    const { json } = await world().get(ann, `${threadsPath}/q-${ann.id}`);
    expect(json.data.turns[0]).toMatchObject({ status: "failed", error: { code: "worker_unavailable" } });
  });

  test("a dispatched one times out after 60 s; a receipt that comes later changes nothing", async () => {
    const ann = await world().person();
    const workerId = `codexw_d${ann.id}`;
    await world().attach(ann, workerId);
    const sent = await world().request(ann, workerId, { request_id: "r1", method: "thread/list", params: {} });
    expect(sent.json.data.state).toBe("dispatched");
    world().app.clock.advance(61_000);
    expect(await expireRequests(world().app.ctx)).toBe(1);
    const late = await world().events(ann, workerId, receipt("r1", { threads: [] }));
    expect(late.json.data.events[0].idempotent_replay).toBe(true);
    const all = await receipts(world, ann, workerId);
    expect(all.map(({ payload }) => payload.code ?? "ok")).toEqual(["timeout"]);
  });

  test("two sweeps at once give one receipt", async () => {
    const ann = await world().person();
    const workerId = `codexw_s${ann.id}`;
    await world().request(ann, workerId, {
      request_id: "r1",
      method: "turn/start",
      params: { thread_id: `s-${ann.id}`, text: "x" },
    });
    world().app.clock.advance(601_000);
    const counts = await Promise.all([expireRequests(world().app.ctx), expireRequests(world().app.ctx)]);
    expect(counts.reduce((a, b) => a + b)).toBe(1);
    expect((await receipts(world, ann, workerId)).length).toBe(1);
  });
});

onBothEngines(
  "retention",
  (world) => {
    test("old events go, the newest 3000 and what waits for a receipt stay", async () => {
      const ann = await world().person();
      const workerId = `codexw_p${ann.id}`;
      await world().attach(ann, workerId);
      await world().request(ann, workerId, { request_id: "waits", method: "thread/list" });
      const batch = Array.from({ length: 100 }, (_, i) => notified("x/y", { i }));
      for (let i = 0; i < 31; i++) expect((await world().events(ann, workerId, ...batch)).status).toBe(202);
      expect(await pruneEvents(world().app.ctx)).toBe(0);
      world().app.clock.advance(31 * 86_400_000);
      expect(await pruneEvents(world().app.ctx)).toBe(0);
      await world().events(ann, workerId, receipt("waits", { threads: [] }));
      expect(await pruneEvents(world().app.ctx)).toBe(102);
      const { json } = await world().get(ann, `${workersPath}/${workerId}/stream?cursor=0`);
      expect(json.data.retention_floor).toBe(103);
      const stale = await world().get(ann, `${workersPath}/${workerId}/stream?cursor=5`);
      expect(stale.status).toBe(410);
      expect(stale.json).toMatchObject({ error: { code: "stale_cursor" }, resume_after: 102, retention_floor: 103 });
      expect(await pruneRequests(world().app.ctx)).toBe(0);
      world().app.clock.advance(31 * 86_400_000);
      expect(await pruneRequests(world().app.ctx)).toBe(1);
    });
  },
  { RUNTIME_KHALA_CODEX_WORKER_EVENTS_PUBLISH_RATE_PER_SECOND: "100000" },
);
