import type { Context } from "../context";
import { forbidden } from "../refusal";
import { type Json, textOf } from "./json";
import type { Worker } from "./worker-state";

export type LinkState = "unknown" | "linked" | "not_required" | "unlinked";

const chatgptModes = ["chatgpt", "chatgptAuthTokens"];

/** What a worker's newest account report says (codex-chat 3.8), the rows in the contract's order. */
export function linkState(report: Json | null): LinkState {
  if (!report) return "unknown";
  const mode = textOf(report.auth_mode);
  if (report.requires_openai_auth === false) return "not_required";
  if (mode !== null && chatgptModes.includes(mode)) return "linked";
  const told = mode !== null || report.requires_openai_auth === true || signedOut.has(String(report.hydration_status));
  return told ? "unlinked" : "unknown";
}

const signedOut = new Set(
  ["UNAUTHENTICATED", "DEVICE_FLOW_PENDING", "EXPIRED"].map((state) => `CODEX_AUTH_HYDRATION_STATUS_${state}`),
);

/** The state of a person: linked if any worker is. */
export function userLinkState(workers: Pick<Worker, "authState">[]): LinkState {
  const states = workers.map(({ authState }) => linkState(authState));
  const order: LinkState[] = ["linked", "not_required", "unlinked"];
  return order.find((state) => states.includes(state)) ?? "unknown";
}

export const accountText = "Codex chat requires an authenticated ChatGPT account.";

/** 403 when the addressed worker is known to have no ChatGPT account while the policy asks for one. */
export function requireAccount(ctx: Context, worker: Pick<Worker, "authState">): void {
  if (!ctx.config.OA_CODEX_REQUIRE_CHATGPT_ACCOUNT || linkState(worker.authState) !== "unlinked") return;
  throw forbidden(accountText, { "x-oa-chat-auth-policy": "codex-auth-required" });
}
