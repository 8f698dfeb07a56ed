import type { Session } from "../../session";

/** What stands between the person and a chat (web-ui 7.1). `unknown`: `/api/me` has not answered. */
export type Access = "unknown" | "guest" | "no_worker" | "not_linked" | "worker_offline" | "ready";

export const accessOf = (session: Session): Access => {
  if (session.kind === "guest") return "guest";
  if (session.kind !== "user") return "unknown";
  return session.codexAccess?.status ?? "no_worker";
};

export interface ComposerRules {
  placeholder: string;
  /** Text may be typed. */
  typing: boolean;
  /** It may be sent. */
  sending: boolean;
}

/** What the composer allows in each state. */
export function composerRules(access: Access): ComposerRules {
  switch (access) {
    case "ready":
      return { placeholder: "Message Codex", typing: true, sending: true };
    case "worker_offline":
      return { placeholder: "Message Codex", typing: true, sending: false };
    case "guest":
      return { placeholder: "Sign in to chat", typing: false, sending: false };
    case "no_worker":
      return { placeholder: "Connect a worker to chat", typing: false, sending: false };
    case "not_linked":
      return { placeholder: "Link ChatGPT to chat", typing: false, sending: false };
    default:
      return { placeholder: "Message Codex", typing: true, sending: false };
  }
}

const EXPLAIN = "Explain what you can do with the OpenAgents API";
const prompts = (second: string) => ["What tools do you have?", second, "What can you do with bitcoin?", EXPLAIN];

/** Quick prompts of a state, in order; an empty list hides them. */
export function quickPrompts(access: Access): { texts: string[]; enabled: boolean } {
  switch (access) {
    case "guest":
      return { texts: prompts("How do I create an account?"), enabled: true };
    case "ready":
      return { texts: prompts("Make a test OpenAgents API call"), enabled: true };
    case "worker_offline":
      return { texts: prompts("Make a test OpenAgents API call"), enabled: false };
    default:
      return { texts: [], enabled: false };
  }
}

const PENDING_PROMPT = "oa.pending_prompt";

/** A guest chose a prompt: it waits in the composer after sign-in, and is not sent. */
export function keepPrompt(text: string) {
  try {
    sessionStorage.setItem(PENDING_PROMPT, text);
  } catch {
    // storage is off
  }
}

/** The prompt kept before sign-in; forgets it. */
export function takePrompt(): string | null {
  try {
    const text = sessionStorage.getItem(PENDING_PROMPT);
    sessionStorage.removeItem(PENDING_PROMPT);
    return text;
  } catch {
    return null;
  }
}
