type Json = Record<string, unknown>;

const object = (value: unknown): Json => (typeof value === "object" && value !== null ? (value as Json) : {});
const text = (value: unknown): string | null => (typeof value === "string" && value ? value : null);

/** Whether turns may run with the account that `account/read` tells of (codex-chat 3.8). */
export function accountLink(read: Json): "ok" | "unlinked" {
  if (read.requiresOpenaiAuth === false) return "ok";
  return object(read.account).type === "chatgpt" ? "ok" : "unlinked";
}

/** The report `codex/auth_state`: no address, no token, no id. */
export function authState(read: Json): Json {
  const account = object(read.account);
  const linked = (read.account !== null && read.account !== undefined) || read.requiresOpenaiAuth === false;
  return {
    hydration_status: `CODEX_AUTH_HYDRATION_STATUS_${linked ? "AUTHENTICATED" : "UNAUTHENTICATED"}`,
    provider: "openai",
    auth_mode: text(account.type),
    plan_type: text(account.planType),
    requires_openai_auth: read.requiresOpenaiAuth !== false,
    status_reason: null,
    observed_at: new Date().toISOString(),
  };
}

/** The account as a person at the terminal reads it, with what to do when it will not do. */
export function accountLine(read: Json): string {
  const account = object(read.account);
  if (read.requiresOpenaiAuth === false) return "Codex uses a model provider of its own; no account is needed.";
  if (account.type === "chatgpt")
    return `Codex is signed in with ChatGPT${account.planType ? ` (${String(account.planType)})` : ""}.`;
  if (account.type) return "Codex is signed in with an API key; chat needs a ChatGPT account: codex login";
  return "Codex is not signed in: run 'codex login' on this machine.";
}
