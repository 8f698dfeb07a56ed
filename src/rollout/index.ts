import type { AnyElysia } from "elysia";
import type { Context } from "../context";
import type { RequestState } from "../http/state";
import { type ControlParts, controlApi } from "./control-api";
import { compatibilityGate } from "./control-window";
import { decisionTrail } from "./decision-trail";
import { maintenanceGate } from "./maintenance";
import { modeOf } from "./route-split";
import { smokeApi } from "./smoke-api";
import { splitGate } from "./split-gate";
import { createStored } from "./stored";

interface RolloutParts extends Omit<ControlParts, "stored"> {
  isPagePath(path: string): boolean;
  errorPage(request: Request, state: RequestState, status: number): Response;
}

export interface Rollout {
  api: AnyElysia[];
  /** Too old clients and maintenance: steps 6 and 7 of http-platform 2.1. Null = go on. */
  gate(request: Request, state: RequestState): Response | Promise<Response> | null;
  /** Whether nothing is shut. */
  open(): boolean;
  /** Pages of another deployment. Null = this executable answers. */
  split(request: Request, state: RequestState): Response | null;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Moving in, staying up, moving on: route split, maintenance, client compatibility (http-platform 2.11, 3.8, 3.12; auth 3.13). */
export function createRollout(ctx: Context, parts: RolloutParts): Rollout {
  const shownOn = () => ctx.metrics.gauge("maintenance_enabled", maintenance.on() ? 1 : 0);
  const stored = createStored(ctx, () => shownOn());
  const maintenance = maintenanceGate(ctx, stored);
  const compatible = compatibilityGate(ctx);
  const trail = decisionTrail(ctx);
  const split = splitGate(ctx, { stored, trail, isPagePath: parts.isPagePath, errorPage: parts.errorPage });
  shownOn();
  const { OA_ROUTE_SPLIT_MODE: mode } = ctx.config;
  if (modeOf(ctx.config) !== mode)
    ctx.log.warn("oa.config", `OA_ROUTE_SPLIT_MODE '${mode}' is none of legacy, rust, cohort: legacy is used`);
  return {
    api: [controlApi(ctx, { ...parts, stored }), smokeApi(ctx)],
    gate: (request, state) => compatible(request, state) ?? maintenance.answer(request, state),
    open: () => !maintenance.on(),
    split,
    start: stored.start,
    async stop() {
      await stored.stop();
      await trail.flush();
    },
  };
}
