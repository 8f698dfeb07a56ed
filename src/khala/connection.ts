import type { ServerWebSocket } from "bun";
import type { SyncClaims } from "./access";
import { CHANNEL, frameText, push, type Ref, reply } from "./frames";
import type { Message } from "./protocol";
import { handed, type Line, type Seat } from "./sub";
import type { Principal } from "./topics";

export type Socket = ServerWebSocket<Connection>;

/** A join and what it was given. */
export interface Joined {
  ref: Ref;
  subscriptionId: string;
  nextBeat: number;
}

/** One socket of this node. Times in milliseconds of the node's clock. */
export interface Connection {
  id: string;
  socket: Socket | null;
  claims: SyncClaims;
  principal: Principal;
  query: Record<string, string>;
  address: string;
  client: { client: string; buildId: string };
  openedAt: number;
  lastSeenAt: number;
  /** Since when it has been waiting for a join. */
  idleSince: number;
  joined: Joined | null;
  /** When its session ends by itself. */
  endsAt: number | null;
  seat: Seat;
  inbox: { message: Message; limited: boolean }[];
  busy: boolean;
  /** Rate of messages: a bucket of 100 that gains 50 a second, and a count per second. */
  tokens: number;
  tokensAt: number;
  windowAt: number;
  windowCount: number;
  /** Buffer when last looked at, and when it last shrank. */
  buffered: number;
  shrankAt: number;
  /** Closes as soon as the buffer is empty, and is cut at the deadline. */
  closing: { code: number; reason: string; deadline: number } | null;
}

/** What the handshake has found out. */
export type Opening = Pick<Connection, "claims" | "query" | "address"> & { frames: Line["frames"] };

export function createConnection({ claims, query, address, frames }: Opening, now: number): Connection {
  const connection: Connection = {
    id: `c_${Buffer.from(crypto.getRandomValues(new Uint8Array(12))).toString("hex")}`,
    socket: null,
    claims,
    principal: { userId: claims.userId, sessionId: claims.sessionId, scopes: claims.scopes, workerId: null },
    query,
    address,
    client: { client: "", buildId: "" },
    openedAt: now,
    lastSeenAt: now,
    idleSince: now,
    joined: null,
    endsAt: null,
    seat: { line: null as unknown as Line, subs: new Map(), ready: [], queued: false },
    inbox: [],
    busy: false,
    tokens: 100,
    tokensAt: now,
    windowAt: now,
    windowCount: 0,
    buffered: 0,
    shrankAt: now,
    closing: null,
  };
  connection.seat.line = lineOf(connection, frames);
  return connection;
}

/** The socket as the hub uses it. */
const lineOf = (connection: Connection, frames: Line["frames"]): Line => ({
  frames,
  open: () => connection.socket?.readyState === 1 && !connection.closing,
  send: (text) => void connection.socket?.send(text),
  buffered: () => connection.socket?.getBufferedAmount() ?? 0,
  join: (topic) => void connection.socket?.subscribe(topic),
  leave: (topic) => void connection.socket?.unsubscribe(topic),
});

export const answer = (connection: Connection, to: Message, status: "ok" | "error", response: object): void => {
  connection.seat.line.send(reply(to.joinRef, to.ref, to.topic, status, response));
};

export const tell = (connection: Connection, event: string, payload: object): void => {
  connection.seat.line.send(push(event, JSON.stringify(payload)));
};

/** A `sync:error` and its `sync:frame` twin (khala 2.6). */
export function tellError(connection: Connection, topic: string, error: object): void {
  const text = JSON.stringify(error);
  connection.seat.line.send(push("sync:error", text));
  if (connection.seat.line.frames === "batch") return;
  connection.seat.line.send(push("sync:frame", frameText(topic, 0, "KHALA_FRAME_KIND_ERROR", text)));
}

/** `phx_close` carries the ref of the join that ends. */
export function tellClosed(connection: Connection, { ref }: Joined): void {
  connection.seat.line.send(JSON.stringify([ref, ref, CHANNEL, "phx_close", {}]));
}

/** What was handed to the socket, topic by topic. */
export const watermarks = ({ seat }: Connection) =>
  [...seat.subs].map(([topic, sub]) => ({ topic, watermark: handed(sub) }));
