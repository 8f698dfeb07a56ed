import { describe, expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import { brokenInvariants } from "../../db/invariants";
import { recentCodexInvariants } from "../../src/codex/invariants";
import { identityInvariants } from "../../src/identity/invariants";
import { jobInvariants } from "../../src/jobs/operator";
import { signInThrough } from "../identity/app";
import { engines } from "../support/database";
import { wholeApp } from "../support/whole";

describe.each(engines)("invariants on %s", (engine) => {
  test("hold of what the product writes; each that is broken is named with its rows", async () => {
    const app = await wholeApp(engine, { OA_AUTH_PROVIDER_MODE: "mock" });
    const { store } = app.ctx;
    const broken = () => brokenInvariants(store, [...identityInvariants, ...recentCodexInvariants, ...jobInvariants]);
    try {
      const ann = await signInThrough(app.send, "ann@a.example", "203.0.113.9");
      const workers = "/api/runtime/codex/workers";
      const thread = "01a2081b-aa27-7571-987d-0df41cd32858";
      await app.send("POST", "/api/tokens", { as: ann.token, body: { name: "laptop" } });
      await app.send("POST", workers, { as: ann.token, body: { worker_id: "w:1", session_id: "session_1" } });
      for (const text of ["first", "second"]) {
        const sent = await app.send("POST", `/api/runtime/threads/${thread}/messages`, {
          as: ann.token,
          body: { text },
        });
        expect([sent.status, sent.text]).toEqual([200, expect.any(String)]);
      }
      for (let i = 0; i < 3; i++) {
        const event = { event_type: "worker.note", payload: { i } };
        await app.send("POST", `${workers}/w:1/events`, { as: ann.token, body: { event } });
      }
      expect(await broken()).toEqual([]);

      const breaks: [id: string, sample: string[], statement: ReturnType<typeof sql>][] = [
        ["users.email", [String(ann.id)], sql`update users set handle = 'Not A Handle'`],
        ["sessions.unique", [ann.sessionId], sql`update auth_refresh_tokens set state = 'rotated'`],
        ["threads.counts", [thread], sql`update codex_threads set message_count = message_count + 1`],
        ["workers.seq", ["w:1"], sql`delete from codex_worker_events where seq = 2`],
        ["refs", ["personal_access_tokens 1"], sql`update personal_access_tokens set tokenable_id = 999 where id = 1`],
        [
          "jobs.lease",
          [expect.any(String)],
          sql`insert into jobs.job (name, data, state, started_on, expire_seconds)
              select name, '{}', 'active', now() - interval '1 day', 60 from jobs.queue where name = 'auth.prune'`,
        ],
        [
          "sequences",
          ["users.id"],
          sql`insert into users (id, name, email, handle, workos_id, avatar)
              values (5000, 'b', 'b@a.example', 'b', 'local_b', '')`,
        ],
      ];
      const names: string[] = [];
      for (const [id, sample, statement] of breaks) {
        await store.rows(statement);
        names.push(id);
        const found = await broken();
        expect(found.map((one) => one.id).toSorted()).toEqual(names.toSorted());
        expect(found.find((one) => one.id === id)).toEqual({ id, violations: 1, sample });
      }
    } finally {
      await app.close();
    }
  });
});
