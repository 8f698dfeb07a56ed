import { afterAll, beforeAll, describe } from "bun:test";
import { codexApi } from "../../src/codex";
import type { Json } from "../../src/codex/json";
import { type Answer, type Person, type TestApp, testApp } from "../support/app";
import { type Engine, engines } from "../support/database";

export const codexThread = "01a2081b-aa27-7571-987d-0df41cd32858";
export const codexTurn = "01a2081b-aa27-7571-987d-0df41cd32859";
export const session = "session_ab12";

/** The Codex domain's routes on one engine, with the calls that tests make often. */
export interface World {
  app: TestApp;
  /** A person nobody else uses, so that no test counts against another's throttle. */
  person(over?: Parameters<TestApp["person"]>[1]): Promise<Person>;
  get(as: Person, path: string, headers?: Record<string, string>): Promise<Answer>;
  post(as: Person, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** Attaches a bridge to a worker. */
  attach(as: Person, workerId: string, sessionId?: string): Promise<Answer>;
  request(as: Person, workerId: string, request: Json): Promise<Answer>;
  /** Posts events, as one batch. */
  events(as: Person, workerId: string, ...events: Json[]): Promise<Answer>;
  /** A turn that Codex has taken up, on a worker with a bridge. */
  runningTurn(
    as: Person,
    workerId: string,
    threadId: string,
    text?: string,
  ): Promise<{ turnId: string; messageId: string }>;
}

export const workersPath = "/api/runtime/codex/workers";
export const threadsPath = "/api/runtime/threads";

let people = 0;

/** A notification of Codex as the bridge forwards it. */
export const notified = (method: string, params: Json, more: Json = {}): Json => ({
  event_type: "worker.event",
  payload: { source: "autopilot-desktop", method, params, session_id: session, ...more },
});

export const receipt = (requestId: string, response: Json): Json => ({
  event_type: "worker.response",
  payload: { request_id: requestId, session_id: session, response },
});

export const failure = (requestId: string, more: Json): Json => ({
  event_type: "worker.error",
  payload: { request_id: requestId, session_id: session, ...more },
});

function worldOf(app: TestApp): World {
  const world: World = {
    app,
    person: (over) => app.person(`p${++people}@a.example`, over),
    get: (as, path, headers) => app.send("GET", path, { as, ...(headers ? { headers } : {}) }),
    post: (as, path, body, headers) => app.send("POST", path, { as, body, ...(headers ? { headers } : {}) }),
    attach: (as, workerId, sessionId = session) =>
      world.post(as, workersPath, {
        worker_id: workerId,
        adapter: "desktop_bridge",
        metadata: { source: "autopilot-desktop", session_id: sessionId },
      }),
    request: (as, workerId, request) => world.post(as, `${workersPath}/${workerId}/requests`, { request }),
    events: (as, workerId, ...events) => world.post(as, `${workersPath}/${workerId}/events`, { events }),
    async runningTurn(as, workerId, threadId, text = "hello") {
      const requestId = `req_${crypto.randomUUID()}`;
      const params = { thread_id: threadId, text };
      const sent = await world.request(as, workerId, { request_id: requestId, method: "turn/start", params });
      const turnId = sent.json.data.response.turn.id as string;
      await world.events(
        as,
        workerId,
        receipt(requestId, { thread_id: threadId, codex_thread_id: codexThread, codex_turn_id: codexTurn }),
        notified("turn/started", { threadId: codexThread, turn: { id: codexTurn, startedAt: 1771718400 } }),
      );
      return { turnId, messageId: sent.json.data.response.message.id as string };
    },
  };
  return world;
}

/** Runs a block of tests on both engines. */
export function onBothEngines(
  name: string,
  tests: (world: () => World, engine: Engine) => void,
  env?: Record<string, string>,
) {
  for (const engine of engines) {
    describe(`${name} on ${engine}`, () => {
      let world: World | undefined;
      beforeAll(async () => {
        world = worldOf(await testApp(engine, { domains: (ctx) => [codexApi(ctx)], ...(env ? { env } : {}) }));
      });
      afterAll(() => world?.app.close());
      tests(() => world as World, engine);
    });
  }
}
