/** The server as the bridge calls it: HTTP with a bearer token, bounded, retried where that is safe (codex-chat 6). */

export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly retryAfterMs: number | null,
  ) {
    super(message);
    this.name = "Refused";
  }
}

/** Nothing was heard from the server. */
export class Unreachable extends Error {
  constructor(reason: string) {
    super(`the server cannot be reached (${reason})`);
    this.name = "Unreachable";
  }
}

export interface Server {
  url: string;
  /** `body` is sent as JSON; a string is JSON already. */
  post(path: string, body: unknown): Promise<unknown>;
  get(path: string): Promise<unknown>;
  /** A token for the socket. */
  syncToken(): Promise<string>;
  /** The server's clock in ms, as its last answer told it: deadlines are measured by it. */
  now(): number;
}

const totalMs = 15_000;

interface ErrorBody {
  message?: string;
  error?: { code?: string; message?: string };
}

/** The server at `url`, spoken to with `token`; `version` names the bridge. */
export function createServer(url: string, token: string, version: string): Server {
  const base = url.replace(/\/+$/, "");
  let ahead = 0;
  const call = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    let response: Response;
    try {
      response = await fetch(base + path, {
        method,
        redirect: "manual",
        signal: AbortSignal.timeout(totalMs),
        headers: {
          authorization: `Bearer ${token}`,
          accept: "application/json",
          "x-client": "openagents-worker",
          "x-request-id": crypto.randomUUID(),
          "user-agent": `openagents-worker/${version}`,
          ...(body === undefined ? {} : { "content-type": "application/json" }),
        },
        ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      });
    } catch (error) {
      throw new Unreachable(error instanceof Error ? (error as { code?: string }).code || error.name : "network");
    }
    const date = Date.parse(response.headers.get("date") ?? "");
    if (date) ahead = date - Date.now();
    const json = parsed(await response.text().catch(() => ""));
    if (response.ok) {
      // Cut off on its way, or the page of something in between.
      if (json === null) throw new Unreachable("the answer is no JSON");
      return json;
    }
    const moved = response.headers.get("location");
    if (moved)
      throw new Refused(response.status, "moved", `it redirects to ${moved}; name that address with --server`, null);
    const { message, error } = (json ?? {}) as ErrorBody;
    const wait = Number(response.headers.get("retry-after"));
    throw new Refused(
      response.status,
      error?.code ?? "",
      message ?? `HTTP ${response.status}`,
      wait > 0 ? wait * 1000 : null,
    );
  };
  return {
    url: base,
    post: (path, body) => call("POST", path, body),
    get: (path) => call("GET", path),
    async syncToken() {
      const answer = (await call("POST", "/api/sync/token", {
        scopes: ["runtime.codex_worker_events", "runtime.codex_worker_summaries"],
      })) as {
        data: { token: string };
      };
      return answer.data.token;
    },
    now: () => Date.now() + ahead,
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Whether the same call may succeed later. */
export const isTransient = (error: unknown): boolean =>
  error instanceof Unreachable ||
  (error instanceof Refused && (error.status >= 500 || [408, 425, 429].includes(error.status)));

export const isRejected = (error: unknown): boolean =>
  error instanceof Refused && (error.status === 401 || error.status === 403);

/** Delay before try n (from 1): `min(250·2^(n−1), 8000)` ms and up to half of it more (codex-chat 3.10). */
export const backoff = (n: number, jitter = Math.random()): number => {
  const base = Math.min(250 * 2 ** (n - 1), 8000);
  return Math.round(base + base * 0.5 * jitter);
};
