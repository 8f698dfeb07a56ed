import { Elysia } from "elysia";
import type { Context } from "../context";
import { platform } from "../http/platform";
import { countProof } from "../http/proof";
import { sameText } from "../http/same-text";
import { stateOf } from "../http/state";
import { unauthorized } from "../refusal";
import { Smoke } from "./contract";

/** What an outside monitor reads: where events are delivered live, without a stream of its own (http-platform 2.9). */
export const smokeApi = (ctx: Context) =>
  new Elysia({ name: "rollout", seed: "smoke" }).use(platform).get(
    "/api/smoke/stream",
    async ({ request, set }) => {
      const secret = ctx.config.OA_SMOKE_SECRET?.trim();
      const right = !!secret && sameText(request.headers.get("x-oa-smoke-secret") ?? "", secret);
      await countProof(ctx.throttle, stateOf(request), ctx.now().getTime(), right);
      if (!right) throw unauthorized();
      set.headers["x-oa-smoke"] = "1";
      return {
        data: {
          status: "ok" as const,
          stream_protocol: "khala_ws" as const,
          delivery: {
            transport: "khala_ws" as const,
            topic: "runtime.codex_worker_events" as const,
            scope: "runtime.codex_worker_events" as const,
            syncTokenRoute: "/api/sync/token" as const,
            sseEnabled: false as const,
          },
          event_contract: {
            chat: ["turn.start", "turn.finish", "turn.error", "turn.tool"],
            worker: ["worker.event", "worker.response", "worker.stopped"],
          },
        },
      };
    },
    {
      proof: "secret",
      counts: "internal.auth",
      response: { 200: Smoke },
      detail: { operationId: "smokeStream", summary: "Where live events are delivered", tags: ["Utility"] },
    },
  );
