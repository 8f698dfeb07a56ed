import { backoff, isRejected, type Server } from "./server";

/** An event of a worker of this user, as the bridge needs it. */
export interface Update {
  topic?: string;
  watermark: number;
  payload: { worker_id?: string; seq?: number; eventType?: string; payload?: Record<string, unknown> } | null;
}

interface Handlers {
  /** Subscribed since the last watermark, since now (what came before must be read), or with a gap that no log can fill. */
  live(since: "watermark" | "now" | "gap"): Promise<void>;
  update(update: Update): void;
  /** How a worker of this user stands now. */
  summary(snapshot: Record<string, unknown>): void;
  /** The credentials were rejected: there is no use in trying again. */
  rejected(message: string): void;
  /** The server does not speak with this version any more. */
  outdated(message: string): void;
  state(state: "connecting" | "live" | "waiting", reason?: string): void;
}

export interface KhalaClient {
  stop(): void;
  /** Whether updates arrive; while not, the bridge polls (codex-chat 3.10 step 6). */
  isLive(): boolean;
}

const topic = "runtime.codex_worker_events";
const summaries = "runtime.codex_worker_summaries";
const heartbeatMs = 20_000;
const silenceMs = 40_000;
const slowMs = 8000;
/** Close codes after which a client comes back after 8 s at the earliest (khala 2.8). */
const notSoon = new Set([1003, 1007, 1009, 4400, 4403, 4429]);

type Frame = [
  joinRef: string | null,
  ref: string | null,
  topic: string,
  event: string,
  payload: Record<string, unknown>,
];
type Answered = (payload: { status: string; response: Record<string, unknown> }) => void;

/** One socket, two topics; the events are resumed from the last applied watermark; a new token for every attempt (khala 3.12). */
export function createKhalaClient(server: Server, handlers: Handlers): KhalaClient {
  let stopped = false;
  let failures = 0;
  let watermark: number | null = null;
  let socket: WebSocket | null = null;
  let timer: Timer | undefined;
  let live = false;

  const url = `${server.url.replace(/^http/, "ws")}/sync/socket/websocket`;

  /** Tries again; a delay that the server asked for does not count as a failure. */
  const again = (reason: string, delay?: number) => {
    live = false;
    if (stopped) return;
    if (delay === undefined) failures++;
    handlers.state("waiting", reason);
    timer = setTimeout(() => void connect(), delay ?? backoff(failures));
  };

  const connect = async (): Promise<void> => {
    handlers.state("connecting");
    let token: string;
    try {
      token = await server.syncToken();
    } catch (error) {
      const message = error instanceof Error ? error.message : "no token";
      if (stopped) return;
      return isRejected(error) ? handlers.rejected(message) : again(message);
    }
    if (!stopped) open(token);
  };

  const open = (token: string) => {
    const ws = new WebSocket(url, ["khala.ws.v1", `bearer.${token}`]);
    socket = ws;
    let heard = Date.now();
    let over = false;
    let ref = 0;
    const waiting = new Map<string, Answered>();
    const send = (event: string, payload: Record<string, unknown>, reply?: Answered) => {
      const id = String(++ref);
      if (reply) waiting.set(id, reply);
      ws.send(JSON.stringify([null, id, "sync:v1", event, payload]));
    };
    const beat = setInterval(() => {
      if (Date.now() - heard > silenceMs) return end("nothing heard", 0);
      if (ws.readyState === WebSocket.OPEN) send("sync:heartbeat", {});
    }, heartbeatMs);
    const end = (reason: string, delay?: number) => {
      if (over) return;
      over = true;
      clearInterval(beat);
      ws.close();
      again(reason, delay);
    };
    const outdated = (message: string) => {
      if (over) return;
      over = true;
      clearInterval(beat);
      ws.close();
      live = false;
      if (!stopped) handlers.outdated(message);
    };
    /** Whether the access itself is over, or only this session of it, is told by asking for the next token. */
    const reauth = () => end("the session of this socket ended", 0);
    const subscribe = (resume: number | "head", gap = false) => {
      send(
        "sync:subscribe",
        { topics: [topic, summaries], resume_after: { [topic]: resume, [summaries]: "head" }, replay_batch_size: 200 },
        ({ status, response }) => {
          if (status !== "ok") {
            if (response.code === "stale_cursor") return stale();
            if (response.code === "reauth_required") return reauth();
            return end(String(response.message ?? response.code));
          }
          const marks = (response.current_watermarks ?? []) as { topic: string; watermark: number }[];
          const mark = marks.find((one) => one.topic === topic);
          if (watermark === null || resume === "head") watermark = mark?.watermark ?? 0;
          handlers.live(gap ? "gap" : resume === "head" ? "now" : "watermark").then(
            () => {
              if (over) return;
              failures = 0;
              live = true;
              handlers.state("live");
            },
            (error: unknown) => {
              if (resume === "head") watermark = null;
              end(error instanceof Error ? error.message : String(error));
            },
          );
        },
      );
    };
    /** Too far behind: everything still to do is in the worker's pending requests. */
    const stale = () => {
      live = false;
      watermark = null;
      subscribe("head", true);
    };

    ws.onopen = () =>
      send("phx_join", { frames: "batch", client: "openagents-worker" }, ({ status, response }) => {
        if (status === "ok") return subscribe(watermark ?? "head");
        if (response.code === "reauth_required") return reauth();
        end(String(response.message ?? response.code));
      });
    ws.onmessage = ({ data }) => {
      if (over) return;
      heard = Date.now();
      const [, id, , event, payload] = JSON.parse(String(data)) as Frame;
      if (event === "phx_reply" && id !== null) {
        const reply = waiting.get(id);
        waiting.delete(id);
        reply?.(payload as Parameters<Answered>[0]);
      } else if (event === "sync:update_batch") {
        for (const update of payload.updates as Update[]) {
          if (update.topic === summaries) {
            handlers.summary(update.payload as Record<string, unknown>);
            continue;
          }
          if (watermark !== null && update.watermark <= watermark) continue;
          watermark = update.watermark;
          handlers.update(update);
        }
      } else if (event === "sync:error") {
        if (payload.code === "reauth_required") reauth();
        else if (payload.code === "stale_cursor") stale();
        else if (payload.code === "upgrade_required") outdated(String(payload.message));
        else if (payload.code === "slow_consumer") end("slow consumer", Number(payload.reconnect_after_ms) || 2000);
      }
    };
    ws.onerror = () => {};
    ws.onclose = ({ code, reason }) => {
      const hint = /reconnect_after_ms=(\d+)/.exec(reason)?.[1];
      if (code === 4401) return reauth();
      if (code === 4426) return outdated(reason);
      if (notSoon.has(code)) return end(reason || `closed ${code}`, slowMs);
      end(reason || `closed ${code}`, hint === undefined ? undefined : Number(hint));
    };
  };

  void connect();
  return {
    isLive: () => live,
    stop() {
      stopped = true;
      clearTimeout(timer);
      socket?.close();
    },
  };
}
