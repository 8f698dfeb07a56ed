import { signal } from "@preact/signals";
import { control } from "../../composer/control";
import { announce } from "../../parts/announce";
import { fields, list } from "../../transcript/fields";
import type { Ask } from "../../transcript/transcript";
import { freshId } from "../../world";
import type { Conversation } from "./conversation";

/** One way to answer an approval (web-ui 7.2): what the button says and what Codex gets. */
export interface Choice {
  label: string;
  body: { decision: unknown } | { response: unknown };
  look: "main" | "plain" | "quiet";
  key?: "yes" | "no";
  hint?: string;
}

interface Mine {
  state: "none" | "sending" | "sent" | "failed";
  why: string | null;
  /** Request ids of answers given here: tells ours from another device's. */
  ids: ReadonlySet<string>;
  /** Somebody else was first. */
  late: boolean;
}

const none: Mine = { state: "none", why: null, ids: new Set(), late: false };
const given = signal<ReadonlyMap<string, Mine>>(new Map());
/** One request id per ask and answer: a second attempt of the same answer is the same request. */
const requestIds = new Map<string, string>();

export const answerOf = (askId: string): Mine => given.value.get(askId) ?? none;

const note = (askId: string, patch: Partial<Mine>) => {
  const next = new Map(given.peek());
  next.set(askId, { ...(next.get(askId) ?? none), ...patch });
  given.value = next;
};

/** The answers an ask takes, in order. `decline` works although Codex does not list it (codex-chat 3.12). */
export function choicesOf(ask: Ask): Choice[] {
  if (ask.method === "item/permissions/requestApproval") {
    const wanted = ask.params.permissions;
    return [
      { label: "Approve", body: { response: { permissions: wanted, scope: "turn" } }, look: "main", key: "yes" },
      { label: "Approve for session", body: { response: { permissions: wanted, scope: "session" } }, look: "plain" },
      { label: "Decline", body: { decision: "decline" }, look: "plain", key: "no" },
    ];
  }
  const amendment = proposed(ask);
  return [
    { label: "Approve", body: { decision: "accept" }, look: "main", key: "yes" },
    {
      label: "Approve for session",
      body: { decision: "acceptForSession" },
      look: "plain",
      hint: "The same is not asked again until the machine's session ends",
    },
    ...(amendment && ask.method !== "item/fileChange/requestApproval"
      ? [
          {
            label: "Always allow similar",
            body: { decision: { acceptWithExecpolicyAmendment: { execpolicy_amendment: amendment } } },
            look: "plain" as const,
            hint: `Commands that begin with: ${list(amendment).join(" ")}`,
          },
        ]
      : []),
    { label: "Decline", body: { decision: "decline" }, look: "plain", key: "no" },
    { label: "Decline and stop", body: { decision: "cancel" }, look: "quiet", hint: "Ends the turn" },
  ];
}

/** The rule Codex proposes for the future, as parameter or among the decisions it offers. */
function proposed(ask: Ask): unknown[] | null {
  const direct = list(ask.params.proposedExecpolicyAmendment);
  if (direct.length) return direct;
  for (const offered of ask.decisions ?? []) {
    const rule = list(fields(fields(offered).acceptWithExecpolicyAmendment).execpolicy_amendment);
    if (rule.length) return rule;
  }
  return null;
}

/** Sends an answer. The card locks at once; the first answer that reaches the server counts, from whatever device. */
export async function answer(
  talk: Conversation,
  ask: Ask,
  { body, label }: Pick<Choice, "body" | "label">,
): Promise<void> {
  const workerId = ask.workerId ?? talk.head.peek().workerId;
  if (!workerId || ask.answerId || answerOf(ask.id).state === "sending") return;
  const name = `${ask.id} ${JSON.stringify(body)}`;
  const requestId = requestIds.get(name) ?? freshId("web_");
  requestIds.set(name, requestId);
  note(ask.id, { state: "sending", why: null, ids: new Set([...answerOf(ask.id).ids, requestId]) });
  const { failure } = await control({
    workerId,
    method: "serverRequest/respond",
    threadId: talk.threadId,
    params: { server_request_id: ask.id, ...body },
    requestId,
  });
  if (!failure) {
    note(ask.id, { state: "sent" });
    announce(label);
    return;
  }
  if (failure.kind === "conflict" || failure.kind === "missing") {
    note(ask.id, { state: "none", why: null, late: true });
    announce("Answered on another device");
    await talk.load();
    return;
  }
  requestIds.delete(failure.kind === "network" ? "" : name);
  note(ask.id, {
    state: "failed",
    why: failure.kind === "network" ? "The answer did not reach the server. Try again." : failure.message,
  });
}

/** An answer in words. */
export function decisionWord(ask: Ask): string {
  const { decision } = ask;
  if (decision === "accept" || decision === "approved") return "Approved";
  if (decision === "acceptForSession" || decision === "approved_for_session") return "Approved for session";
  if (decision === "decline" || decision === "denied") return "Declined";
  if (decision === "cancel" || decision === "abort") return "Declined and stopped";
  const body = fields(decision);
  if (body.acceptWithExecpolicyAmendment) return "Always allowed";
  if (body.applyNetworkPolicyAmendment) return "Network rule applied";
  if (body.permissions) return Object.keys(fields(body.permissions)).length ? "Approved" : "Declined";
  if (typeof body.action === "string") return body.action === "accept" ? "Answered" : "Declined";
  return "Answered";
}
