import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

/** What became of a request: a crash between `executing` and `done` is looked into at the next start (codex-chat 3.10). */
export type RequestMark = "executing" | "done";

/** A turn whose end the server may not have heard of yet. */
export interface OpenTurn {
  codex_thread_id: string;
  turn_id: string | null;
}

interface Written {
  session_id: string;
  /** Whether the bridge that wrote this said goodbye and left nothing unsent. */
  clean: boolean;
  threads: Record<string, string>;
  requests: Record<string, RequestMark>;
  turns: Record<string, OpenTurn>;
  codex_pid?: number;
}

export interface Journal {
  /** The session that wrote the journal before this one, unless it ended cleanly, with the turns it left open. */
  crashed: { session: string; turns: Map<string, OpenTurn>; codexPid: number | null } | null;
  /** Codex thread of one of ours. */
  codexThread(threadId: string): string | undefined;
  ourThread(codexThreadId: string): string | undefined;
  mapThread(threadId: string, codexThreadId: string): void;
  mark(requestId: string): RequestMark | undefined;
  /** `executing` is durable when it returns. Throws when the file cannot be written. */
  setMark(requestId: string, mark: RequestMark): void;
  /** The process that works for this session. */
  codexStarted(pid: number): void;
  openTurn(codexTurnId: string, turn: OpenTurn): void;
  closeTurn(codexTurnId: string): void;
  /** The last word of this session; `clean` when everything was sent. */
  close(clean: boolean): void;
  /** Another bridge writes this file now. */
  abandon(): void;
}

const keptRequests = 2000;

/** `$XDG_STATE_HOME/openagents/worker/{first 16 hex of SHA-256("{server}|{worker_id}")}.json`. */
export function journalPath(
  server: string,
  workerId: string,
  env: Record<string, string | undefined> = process.env,
): string {
  const state = env.XDG_STATE_HOME || join(env.HOME || homedir(), ".local/state");
  return join(state, "openagents/worker", `${journalKey(server, workerId)}.json`);
}

export const journalKey = (server: string, workerId: string): string =>
  createHash("sha256").update(`${server}|${workerId}`).digest("hex").slice(0, 16);

/** Opens the journal for a new session; a file that cannot be read counts as empty. */
export function openJournal(path: string, sessionId: string): Journal {
  const old = read(path);
  const state: Written = {
    session_id: sessionId,
    clean: false,
    threads: old?.threads ?? {},
    requests: old?.requests ?? {},
    turns: old && !old.clean ? { ...old.turns } : {},
  };
  const back = new Map(Object.entries(state.threads).map(([ours, codex]) => [codex, ours]));
  let abandoned = false;
  const save = () => {
    if (abandoned) return;
    const names = Object.keys(state.requests);
    for (const name of names.slice(0, Math.max(0, names.length - keptRequests))) delete state.requests[name];
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(`${path}.part`, JSON.stringify(state), { mode: 0o600 });
    renameSync(`${path}.part`, path);
  };
  save();
  /** What can be lost without harm must not stop the work: a full disk shows itself at the next mark. */
  const note = () => {
    try {
      save();
    } catch {}
  };
  return {
    crashed:
      old && !old.clean
        ? {
            session: old.session_id,
            turns: new Map(Object.entries(old.turns ?? {})),
            codexPid: typeof old.codex_pid === "number" ? old.codex_pid : null,
          }
        : null,
    codexThread: (threadId) => state.threads[threadId],
    ourThread: (codexThreadId) => back.get(codexThreadId),
    mapThread(threadId, codexThreadId) {
      if (state.threads[threadId] === codexThreadId) return;
      state.threads[threadId] = codexThreadId;
      back.set(codexThreadId, threadId);
      note();
    },
    mark: (requestId) => state.requests[requestId],
    setMark(requestId, mark) {
      state.requests[requestId] = mark;
      if (mark === "done") note();
      else save();
    },
    codexStarted(pid) {
      state.codex_pid = pid;
      note();
    },
    openTurn(codexTurnId, turn) {
      state.turns[codexTurnId] = turn;
      note();
    },
    closeTurn(codexTurnId) {
      if (!(codexTurnId in state.turns)) return;
      delete state.turns[codexTurnId];
      note();
    },
    close(clean) {
      state.clean = clean;
      if (clean) state.turns = {};
      note();
    },
    abandon() {
      abandoned = true;
    },
  };
}

function read(path: string): Written | null {
  try {
    const value = JSON.parse(readFileSync(path, "utf8")) as Written;
    return typeof value === "object" &&
      value !== null &&
      typeof value.threads === "object" &&
      typeof value.requests === "object"
      ? value
      : null;
  } catch {
    return null;
  }
}
