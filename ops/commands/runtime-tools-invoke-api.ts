import { readFileSync } from "node:fs";
import type { Call } from "../command";
import { Failure } from "../failure";

const positive = (text: string): number => {
  const number = Number(text.trim());
  return Number.isInteger(number) && number >= 1 ? number : 1;
};

interface Options {
  apiBase: string;
  token?: string;
  toolPack: string;
  mode: string;
  operation: string;
  repository: string;
  issueNumber: string;
  pullNumber: string;
  commentBody: string;
  runId: string;
  threadId: string;
  writeApproved: string | true;
}

function tokenOf({ token }: Options, io: Call["io"]): string {
  if (token?.trim()) {
    io.err("warning: --token shows the token in the process list; OA_API_TOKEN or OA_API_TOKEN_FILE does not\n");
    return token.trim();
  }
  if (process.env.OA_API_TOKEN?.trim()) return process.env.OA_API_TOKEN.trim();
  const file = process.env.OA_API_TOKEN_FILE;
  if (!file) return "";
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    throw new Failure(78, "configuration", `OA_API_TOKEN_FILE: ${file} cannot be read`);
  }
}

function requestOf(given: Options, operation: string): Record<string, unknown> {
  const request = {
    integration_id: "github.primary",
    operation,
    repository: given.repository.trim(),
    run_id: given.runId.trim(),
    thread_id: given.threadId.trim(),
    tool_call_id: `tool_call_cli_${Math.floor(Date.now() / 1000)}`,
  };
  if (operation === "get_pull_request") return { ...request, pull_number: positive(given.pullNumber) };
  const issue = { ...request, issue_number: positive(given.issueNumber) };
  return operation === "add_issue_comment" ? { ...issue, body: given.commentBody.trim() } : issue;
}

/** The body of `POST /api/runtime/tools/execute` (ops-data 2.8). */
function bodyOf(given: Options) {
  const toolPack = given.toolPack.trim();
  return {
    tool_pack: toolPack,
    mode: given.mode.trim(),
    run_id: given.runId.trim() || null,
    thread_id: given.threadId.trim() || null,
    manifest: {
      manifest_version: "coding.integration.v1",
      integration_id: "github.primary",
      provider: "github",
      status: "active",
      tool_pack: toolPack,
      capabilities: ["get_issue", "get_pull_request", "add_issue_comment"],
      secrets_ref: { provider: "laravel", key_id: "intsec_github_1" },
      policy: {
        write_operations_mode: "enforce",
        max_requests_per_minute: 240,
        default_repository: given.repository.trim(),
      },
    },
    request: requestOf(given, given.operation.trim()),
    policy: {
      authorization_id: "auth_cli_demo",
      authorization_mode: "delegated_budget",
      write_approved: given.writeApproved === true || given.writeApproved.trim() === "1",
      budget: { max_total_sats: 10_000, max_per_call_sats: 2000 },
    },
  };
}

export async function run({ options, io, json, executable }: Call): Promise<number> {
  const given = options as unknown as Options;
  const token = tokenOf(given, io);
  if (!token) throw new Failure(1, "token_missing", "--token is required");
  const base = given.apiBase.trim().replace(/\/+$/, "");
  if (!/^https?:\/\//.test(base) || !URL.canParse(base))
    throw new Failure(1, "invalid_api_base", "--api-base must be a valid URL");
  if (given.operation.trim() === "add_issue_comment" && !given.commentBody.trim()) {
    throw new Failure(1, "comment_missing", "--comment-body is required for add_issue_comment");
  }
  let response: Response;
  let text: string;
  try {
    response = await fetch(`${base}/api/runtime/tools/execute`, {
      method: "POST",
      redirect: "manual",
      signal: AbortSignal.any([io.signal, AbortSignal.timeout(30_000)]),
      headers: {
        authorization: `Bearer ${token}`,
        accept: "application/json",
        "content-type": "application/json",
        "user-agent": `openagents/${executable.version}`,
      },
      body: JSON.stringify(bodyOf(given)),
    });
    text = await response.text();
  } catch (error) {
    throw new Failure(
      69,
      "unreachable",
      `cannot reach ${base} (${(error as Error).message})`,
      "check --api-base, and that the server runs",
    );
  }
  const { status, ok } = response;
  let body: unknown = text;
  try {
    body = JSON.parse(text);
  } catch {
    // shown as it came
  }
  if (json) io.out(`${JSON.stringify({ status, body })}\n`);
  else
    io.out(`Runtime tools API status: ${status}\n${typeof body === "string" ? body : JSON.stringify(body, null, 4)}\n`);
  if (ok) return 0;
  return status === 401 || status === 403 ? 4 : 1;
}
