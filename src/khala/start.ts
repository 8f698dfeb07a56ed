/** Where a subscription asks to start: absent = as on a fresh topic (khala 2.4). */
export type Resume = number | "head" | undefined;

export type StartReason = "resume" | "start" | "retention_floor" | "replay_budget" | "head";

export type StaleReason = "retention_floor_breach" | "replay_budget_exceeded" | "cursor_ahead_of_head";

export type Start = { at: number; reason: StartReason } | { stale: StaleReason };

/** Where a subscription starts, or why its cursor cannot be resumed (khala 3.4). */
export function startOf(resume: Resume, floor: number, head: number, budget: number): Start {
  if (resume === "head") return { at: head, reason: "head" };
  if (!resume) {
    const at = Math.max(floor, head - budget, 0);
    if (at === 0) return { at, reason: "start" };
    return { at, reason: at === floor ? "retention_floor" : "replay_budget" };
  }
  if (resume > head) return { stale: "cursor_ahead_of_head" };
  if (resume < floor) return { stale: "retention_floor_breach" };
  if (head - resume > budget) return { stale: "replay_budget_exceeded" };
  return { at: resume, reason: "resume" };
}
