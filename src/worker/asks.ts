/** Server requests of Codex: approvals and questions (codex-chat 3.12). */

type Json = Record<string, unknown>;

export interface Ask {
  /** JSON-RPC id in this Codex process. */
  id: string | number;
  method: string;
  params: Json;
}

/** Methods that go to a person; everything else is answered −32601 at once. */
const forwarded = new Set([
  "item/commandExecution/requestApproval",
  "item/fileChange/requestApproval",
  "item/permissions/requestApproval",
  "item/tool/requestUserInput",
  "mcpServer/elicitation/request",
  "execCommandApproval",
  "applyPatchApproval",
]);

export const isForwarded = (method: string): boolean => forwarded.has(method);

/** An answer that Codex would not understand is not passed on. */
export class BadAnswer extends Error {}

const plain = new Set(["accept", "acceptForSession", "decline", "cancel"]);
const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function commandDecision(decision: unknown): unknown {
  if (typeof decision === "string" && plain.has(decision)) return decision;
  if (isObject(decision)) {
    const amendment = decision.acceptWithExecpolicyAmendment;
    if (isObject(amendment) && Array.isArray(amendment.execpolicy_amendment)) return decision;
    if (isObject(decision.applyNetworkPolicyAmendment)) return decision;
  }
  throw new BadAnswer("decision is not one that this request offers");
}

function proposed(params: Json): unknown[] | null {
  const list = params.proposedExecpolicyAmendment ?? params.execpolicyAmendment;
  return Array.isArray(list) ? list : null;
}

const oldWords: Record<string, unknown> = {
  accept: "approved",
  acceptForSession: "approved_for_session",
  decline: { denied: { rejection: "declined by user" } },
  cancel: "abort",
};

/** The JSON-RPC result for an answer from `serverRequest/respond`. Throws `BadAnswer`. */
export function resultOf(ask: Ask, answer: { decision?: unknown; response?: unknown }): unknown {
  const { decision, response } = answer;
  switch (ask.method) {
    case "item/commandExecution/requestApproval": {
      const amendment = decision === "acceptWithExecpolicyAmendment" ? proposed(ask.params) : null;
      if (amendment) return { decision: { acceptWithExecpolicyAmendment: { execpolicy_amendment: amendment } } };
      return { decision: commandDecision(decision) };
    }
    case "item/fileChange/requestApproval":
      if (typeof decision !== "string" || !plain.has(decision))
        throw new BadAnswer("decision is not one that this request offers");
      return { decision };
    case "item/permissions/requestApproval":
      if (decision === "decline" || decision === "cancel") return { permissions: {}, scope: "turn" };
      if (isObject(response) && isObject(response.permissions)) return { scope: "turn", ...response };
      if (decision === "accept" || decision === "acceptForSession") {
        return { permissions: ask.params.permissions ?? {}, scope: decision === "accept" ? "turn" : "session" };
      }
      throw new BadAnswer("response must hold permissions");
    case "item/tool/requestUserInput":
      if (!isObject(response)) throw new BadAnswer("response must hold answers");
      return isObject(response.answers) ? response : { answers: response };
    case "mcpServer/elicitation/request": {
      if (isObject(response) && typeof response.action === "string") return { content: null, _meta: null, ...response };
      const action = decision === "acceptForSession" ? "accept" : decision;
      if (action !== "accept" && action !== "decline" && action !== "cancel")
        throw new BadAnswer("decision must be accept, decline or cancel");
      return { action, content: response ?? null, _meta: null };
    }
    default: {
      const word = typeof decision === "string" ? oldWords[decision] : undefined;
      if (word === undefined) throw new BadAnswer("decision is not one that this request offers");
      return { decision: word };
    }
  }
}
