import { backoff, isRejected, type Server } from "./server";

/** An update of a topic, as the bridge needs it. */
export interface Update {
  watermark: number;
  payload: { worker_id?: string; seq?: number; eventType?: string; payload?: Record<string, unknown> } | null;
}

interface Handlers {
  /** Subscribed and live. `fresh`: nothing is known of what came before, so pending requests must be fetched. */
  live(fresh: boolean): Promise<void>;
  update(update: Update): void;
  /** The credentials were rejected: there is no use in trying again. */
  rejected(message: string): void;
  state(state: "connecting" | "live" | "waiting", reason?: string): void;
}

export interface KhalaClient {
  stop(): void;
  /** Whether a socket could be opened since the last failure; while not, the bridge polls (codex-chat 3.10 step 6). */
  isLive(): boolean;
}

const topic = "runtime.codex_worker_events";
const heartbeatMs = 20_000;
const silenceMs = 40_000;

type Frame = [
  joinRef: string | null,
  ref: string | null,
  topic: string,
  event: string,
  payload: Record<string, unknown>,
];

/** One socket, one topic, resumed from the last applied watermark; a new token for every attempt (khala 3.12). */
export function createKhalaClient(server: Server, handlers: Handlers): KhalaClient {
  let stopped = false;
  let failures = 0;
  let watermark: number | null = null;
  let socket: WebSocket | null = null;
  let live = false;
  let tokenRefused = 0;

  const url = `${server.url.replace(/^http/, "ws")}/sync/socket/websocket`;

  const again = (reason: string, delay?: number) => {
    live = false;
    if (stopped) return;
    failures++;
    handlers.state("waiting", reason);
    setTimeout(() => void connect(), delay ?? backoff(failures));
  };

  const connect = async (): Promise<void> => {
    if (stopped) return;
    handlers.state("connecting");
    let token: string;
    try {
      token = await server.syncToken();
      tokenRefused = 0;
    } catch (error) {
      if (isRejected(error) && ++tokenRefused > 1)
        return handlers.rejected(error instanceof Error ? error.message : "rejected");
      return again(error instanceof Error ? error.message : "no token");
    }
    open(token);
  };

  const open = (token: string) => {
    const ws = new WebSocket(url, ["khala.ws.v1", `bearer.${token}`]);
    socket = ws;
    let heard = Date.now();
    let over = false;
    let ref = 0;
    const waiting = new Map<string, (payload: { status: string; response: Record<string, unknown> }) => void>();
    const send = (
      event: string,
      payload: Record<string, unknown>,
      reply?: (payload: { status: string; response: Record<string, unknown> }) => void,
    ) => {
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
      ws.onmessage = null;
      ws.close();
      again(reason, delay);
    };
    const subscribe = (resume: number | "head") => {
      send(
        "sync:subscribe",
        { topics: [topic], resume_after: { [topic]: resume }, replay_batch_size: 200 },
        ({ status, response }) => {
          if (status !== "ok") {
            if (response.code === "stale_cursor") return stale();
            if (response.code === "reauth_required") return rejected();
            return end(String(response.message ?? response.code));
          }
          const [mark] = (response.current_watermarks as { watermark: number }[] | undefined) ?? [];
          if (watermark === null || resume === "head") watermark = mark?.watermark ?? 0;
          handlers.live(resume === "head").then(
            () => {
              if (over) return;
              failures = 0;
              live = true;
              handlers.state("live");
            },
            (error: unknown) => end(error instanceof Error ? error.message : String(error)),
          );
        },
      );
    };
    /** Too far behind: everything still to do is in the worker's pending requests. */
    const stale = () => {
      watermark = null;
      subscribe("head");
    };
    const rejected = () => {
      over = true;
      clearInterval(beat);
      ws.close();
      live = false;
      if (!stopped) handlers.rejected("this machine's access was revoked");
    };

    ws.onopen = () =>
      send("phx_join", { frames: "batch", client: "openagents-worker" }, ({ status, response }) => {
        if (status === "ok") return subscribe(watermark ?? "head");
        if (response.code === "reauth_required") return rejected();
        end(String(response.message ?? response.code));
      });
    ws.onmessage = ({ data }) => {
      heard = Date.now();
      const [, id, , event, payload] = JSON.parse(String(data)) as Frame;
      if (event === "phx_reply" && id !== null) {
        const reply = waiting.get(id);
        waiting.delete(id);
        reply?.(payload as { status: string; response: Record<string, unknown> });
      } else if (event === "sync:update_batch") {
        for (const update of payload.updates as Update[]) {
          if (watermark !== null && update.watermark <= watermark) continue;
          watermark = update.watermark;
          handlers.update(update);
        }
      } else if (event === "sync:error") {
        if (payload.code === "reauth_required") rejected();
        else if (payload.code === "stale_cursor") stale();
      }
    };
    ws.onerror = () => {};
    ws.onclose = ({ code, reason }) => {
      if (code === 4401) return over ? undefined : rejected();
      const hint = /reconnect_after_ms=(\d+)/.exec(reason)?.[1];
      end(reason || `closed ${code}`, hint === undefined ? undefined : Number(hint));
    };
  };

  void connect();
  return {
    isLive: () => live,
    stop() {
      stopped = true;
      socket?.close();
    },
  };
}
