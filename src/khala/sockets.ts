import type { WebSocketHandler } from "bun";
import type { Peer } from "../http/entry";
import type { Facts } from "../http/facts";
import type { RequestState } from "../http/state";
import type { Access } from "./access";
import { createClosing } from "./closing";
import { type ClientFacts, windowOf } from "./compatibility";
import { answer, type Connection, createConnection, type Socket, tell } from "./connection";
import { CHANNEL } from "./frames";
import { createHandshake, socketPaths } from "./handshake";
import { badTopic, createJoining } from "./joining";
import type { KhalaNode } from "./node";
import { type Message, parseMessage } from "./protocol";
import { streams } from "./streams";
import type { Wire } from "./sub";
import { createSubscribing, internalError } from "./subscribing";
import { createWatch } from "./watch";

const BURST = 100;
const PER_SECOND = 50;
const MOST_PER_SECOND = 200;
const DRAIN_MS = 2000;
const RECENT = 32;

/** What Khala needs of `Bun.serve`. */
export interface SocketServer extends Peer, Wire {
  upgrade(request: Request, options: { data: Connection; headers: Record<string, string> }): boolean;
}

export interface SocketOptions {
  appUrl(): string;
  /** The node is stopping: new handshakes are refused. */
  draining?(): boolean;
  /** Told of a client that the compatibility gate turned away (khala 3.10). */
  onIncompatible?(connection: Connection, code: string, client: ClientFacts): void;
}

/** What is known of a request that may be a handshake. */
export type Arrival = Pick<RequestState, "path" | "facts">;

export interface KhalaSockets {
  /**
   * Answers a handshake, before any route: a refusal; undefined when the connection was taken over, which ends the request;
   * null when the path is none of Khala's.
   */
  upgrade(request: Request, state: Arrival, server: Peer): Promise<Response | null | undefined>;
  /** The `websocket` member of `Bun.serve`. */
  websocket: WebSocketHandler<Connection>;
  connections: ReadonlySet<Connection>;
  originAllowed(request: Request, facts: Facts): boolean;
  /** Closes a socket by hand, 4403; false when there is none of this id. */
  closeById(id: string): boolean;
  /** Closes all sockets of a user, 4403; how many. */
  closeUser(userId: number): number;
  recheck(): Promise<void>;
  /** Close codes of the last 32 sockets that ended, newest last. */
  recentCloses(): string[];
  /** New handshakes are refused, sockets are closed 1012 spread over 2 s. */
  drain(): Promise<void>;
  stop(): void;
}

/** The sockets of this node: handshake, messages and what ends them. Starts reading `sys.revocations`. */
export function khalaSockets(node: KhalaNode, access: Access, options: SocketOptions): KhalaSockets {
  const { clock, metrics, hub, config, log } = node;
  const connections = new Set<Connection>();
  const closes: string[] = [];
  const perUser = new Map<number, number>();
  let draining = false;
  const closing = createClosing(node);
  const watch = createWatch({ node, access, closing, connections });
  const subscribing = createSubscribing(node, access);
  const joining = createJoining({
    node,
    access,
    closing,
    window: windowOf(config),
    onIncompatible(connection, code, client) {
      metrics.count("compatibility_rejections_total", { surface: "khala_websocket", code });
      options.onIncompatible?.(connection, code, client as ClientFacts);
    },
  });
  const handshake = createHandshake(node, access, options.appUrl, {
    draining: () => draining || options.draining?.() === true,
    sockets: () => connections.size,
    socketsOf: (userId) => perUser.get(userId) ?? 0,
  });
  /** No socket is opened before revocations are read. */
  let listening: Promise<void> | null = null;
  const beat = Math.min(config.OA_KHALA_HEARTBEAT_INTERVAL_MS, config.OA_KHALA_HEARTBEAT_TIMEOUT_MS);
  const timer = setInterval(watch.tick, Math.max(20, Math.min(250, beat / 4)));
  timer.unref();

  async function listenForRevocations(): Promise<void> {
    const ids = await node.ensure([{ name: streams.revocations }]);
    const missed = () => void watch.recheck().catch(() => {});
    await hub.listen(ids.get(streams.revocations) as number, streams.revocations, {
      onRows: watch.onRevocations,
      onReset: missed,
    });
  }

  let known: SocketServer | null = null;

  async function upgrade(request: Request, { path, facts }: Arrival, peer: Peer): Promise<Response | null | undefined> {
    if (!socketPaths.has(path)) return null;
    const server = peer as SocketServer;
    if (known !== server) {
      known = server;
      node.publishOn(server);
    }
    const admitted = await handshake.admit(request, facts);
    if (admitted instanceof Response) {
      if (facts.requestId) admitted.headers.set("x-request-id", facts.requestId);
      await noteRefusal(admitted, facts);
      return admitted;
    }
    listening ??= listenForRevocations().catch((error) => {
      listening = null;
      throw error;
    });
    await listening;
    const data = createConnection(admitted.opening, clock.now());
    if (server.upgrade(request, { data, headers: admitted.headers })) {
      metrics.count("khala_handshakes_total", { result: "ok" });
      return undefined;
    }
    return new Response(null, { status: 400 });
  }

  async function noteRefusal(response: Response, facts: Facts): Promise<void> {
    const { reason_code: reason } = (await response.clone().json()) as { reason_code: string };
    metrics.count("khala_handshakes_total", { result: reason });
    const fields = { reason_code: reason, client_ip: facts.ip };
    if (response.status === 401) node.deny("khala auth denied", fields);
    if (reason === "origin_not_allowed") node.deny("khala origin denied by policy", fields);
  }

  function open(socket: Socket): void {
    const { data } = socket;
    data.socket = socket;
    connections.add(data);
    perUser.set(data.claims.userId, (perUser.get(data.claims.userId) ?? 0) + 1);
    if (draining) closing.close(data, 1012, "reconnect_after_ms=0");
  }

  function closed(socket: Socket, code: number): void {
    const { data } = socket;
    if (!connections.delete(data)) return;
    metrics.count("khala_closes_total", { code: data.closing?.code ?? code });
    closes.push(String(data.closing?.code ?? code));
    if (closes.length > RECENT) closes.shift();
    data.joined = null;
    data.inbox.length = 0;
    data.closing ??= { code, reason: "", deadline: 0 };
    closing.endSubs(data);
    const left = (perUser.get(data.claims.userId) ?? 1) - 1;
    if (left) perUser.set(data.claims.userId, left);
    else perUser.delete(data.claims.userId);
  }

  function receive(socket: Socket, data: string | Buffer) {
    const connection = socket.data;
    if (connection.closing) return;
    const now = clock.now();
    connection.lastSeenAt = now;
    if (typeof data !== "string") return closing.close(connection, 1003, "text frames only");
    if (now - connection.windowAt >= 1000) {
      connection.windowAt = now;
      connection.windowCount = 0;
    }
    if (++connection.windowCount > MOST_PER_SECOND) return closing.close(connection, 4429, "rate_limited");
    const message = parseMessage(data);
    if (!message) {
      tell(connection, "sync:error", { code: "bad_frame", message: "frame is not a valid message" });
      return closing.close(connection, 4400, "bad_frame");
    }
    const gained = ((now - connection.tokensAt) / 1000) * PER_SECOND;
    connection.tokens = Math.min(BURST, connection.tokens + Math.max(gained, 0));
    connection.tokensAt = now;
    const limited = connection.tokens < 1;
    if (!limited) connection.tokens--;
    connection.inbox.push({ message, limited });
    work(connection);
  }

  /** Messages of one socket strictly in order. A subscribe is done with when its replay begins. */
  function work(connection: Connection): void {
    while (!connection.busy) {
      const next = connection.inbox.shift();
      if (!next) return;
      const waiting = next.limited ? slowDown(connection, next.message) : dispatch(connection, next.message);
      if (!waiting) continue;
      connection.busy = true;
      waiting
        .catch((error) => {
          log.error("khala", "khala message failed", { event: next.message.event, error: String(error) });
          closing.close(connection, 1011, "internal");
        })
        .finally(() => {
          connection.busy = false;
          work(connection);
        });
    }
  }

  function slowDown(connection: Connection, message: Message): void {
    answer(connection, message, "error", {
      code: "rate_limited",
      message: "too many messages",
      retry_after_ms: Math.max(1, Math.ceil(((1 - connection.tokens) / PER_SECOND) * 1000)),
    });
  }

  function dispatch(connection: Connection, message: Message): Promise<void> | void {
    const { topic, event } = message;
    if (topic === "phoenix" && event === "heartbeat") return answer(connection, message, "ok", {});
    if (event === "phx_join") return joining.join(connection, message);
    if (!connection.joined) {
      const error = { code: "not_joined", message: "join first", reason: "unmatched topic" };
      return answer(connection, message, "error", error);
    }
    if (topic !== CHANNEL) return answer(connection, message, "error", badTopic);
    if (draining && event === "sync:subscribe") return answer(connection, message, "error", internalError);
    switch (event) {
      case "phx_leave":
        return joining.leave(connection, message);
      case "sync:subscribe":
        return subscribing.subscribe(connection, message);
      case "sync:unsubscribe":
        return subscribing.unsubscribe(connection, message);
      case "sync:heartbeat":
        return joining.heartbeat(connection, message);
      case "sync:reauth":
        return joining.reauth(connection, message);
      default:
        return answer(connection, message, "error", { code: "unknown_event", message: "unknown event" });
    }
  }

  function drained(socket: Socket): void {
    const connection = socket.data;
    connection.shrankAt = clock.now();
    closing.drained(connection);
    if (!connection.closing) hub.drained(connection.seat);
  }

  function closeByHand(some: Connection[]): number {
    for (const connection of some) closing.close(connection, 4403, "closed_by_operator");
    return some.length;
  }

  async function drain(): Promise<void> {
    draining = true;
    const all = [...connections];
    await Promise.all(
      all.map(async (connection, i) => {
        await new Promise<void>((resolve) => clock.after((i / all.length) * DRAIN_MS, resolve));
        closing.close(connection, 1012, `reconnect_after_ms=${Math.floor(Math.random() * (DRAIN_MS + 1))}`);
      }),
    );
  }

  return {
    upgrade,
    websocket: {
      maxPayloadLength: 65_536,
      // a publish beyond the limit would be skipped silently, an undetected gap, unless the socket is closed for it
      backpressureLimit: 8 << 20,
      closeOnBackpressureLimit: true,
      idleTimeout: 120,
      sendPings: true,
      perMessageDeflate: false,
      open,
      message: receive,
      drain: drained,
      close: closed,
    },
    connections,
    originAllowed: handshake.originAllowed,
    closeById: (id) => closeByHand([...connections].filter((connection) => connection.id === id)) > 0,
    closeUser: (userId) => closeByHand([...connections].filter(({ claims }) => claims.userId === userId)),
    recheck: watch.recheck,
    recentCloses: () => [...closes],
    drain,
    stop: () => clearInterval(timer),
  };
}
