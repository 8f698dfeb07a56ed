import { eq } from "drizzle-orm";
import { routeSplitOverrides } from "../../db/schema/platform";
import type { Context } from "../context";
import type { Caller } from "../http/caller";
import { invalid } from "../refusal";
import { groups } from "./route-split";
import type { Stored, Target } from "./stored";

const words: Record<string, Target | "rollback" | "clear"> = {
  legacy: "legacy",
  rust: "rust_shell",
  rust_shell: "rust_shell",
  rollback: "rollback",
  clear: "clear",
  default: "clear",
};

const wordOf = (target: unknown) =>
  typeof target === "string" && Object.hasOwn(words, target.trim().toLowerCase())
    ? words[target.trim().toLowerCase()]
    : undefined;

/** Moves one group of pages, or all, to a target on every node (http-platform 2.11). Throws 422 as listed there. */
export async function overrideSplit(
  ctx: Context,
  stored: Stored,
  { user, sessionId, deviceId, activeOrgId }: Caller,
  asked: { target?: unknown; domain?: unknown },
  requestId: string,
): Promise<void> {
  const word = wordOf(asked.target);
  if (!word) throw invalid("target", "Target must be one of: legacy, rust, rollback, clear.");
  const named = typeof asked.domain === "string" && asked.domain.trim() !== "";
  const domain = named ? (asked.domain as string).trim().toLowerCase().replaceAll("-", "_") : null;
  const group = groups.find((one) => one.domain === domain);
  if (named && !group)
    throw invalid(
      "domain",
      word === "rollback" ? "Unknown route domain." : `Unknown route domain '${asked.domain as string}'.`,
    );
  if (word === "legacy" && !ctx.config.OA_ROUTE_SPLIT_LEGACY_BASE_URL)
    throw invalid("target", "Legacy route target is not configured.");

  const scope = group?.domain ?? "global";
  const target = word === "rollback" ? (group?.rollback ?? "legacy") : word;
  await ctx.commit(async ({ db, audit }) => {
    if (target === "clear") await db.delete(routeSplitOverrides).where(eq(routeSplitOverrides.scope, scope));
    else {
      const row = { target, updatedBy: user.id, updatedAt: ctx.now() };
      await db
        .insert(routeSplitOverrides)
        .values({ scope, ...row })
        .onConflictDoUpdate({ target: routeSplitOverrides.scope, set: row });
    }
    audit({
      event: "route.split.override.updated",
      requestId,
      userId: user.id,
      sessionId,
      deviceId,
      orgId: activeOrgId,
      attributes: { target, scope: group ? `domain:${group.domain}` : "global" },
    });
  });
  await stored.changed("route_split");
}
