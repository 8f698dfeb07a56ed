import { type Connection, tellError } from "./connection";
import type { KhalaNode } from "./node";

const GRACE_MS = 1000;
/** A revoked session's socket is gone within 500 ms, whether or not its client reads. */
const REVOKED_GRACE_MS = 400;

export interface Closing {
  /** Ends all subscriptions and closes, at once or when the buffer has emptied; after the grace the connection is cut. */
  close(connection: Connection, code: number, reason: string, graceMs?: number): void;
  /** `reauth_required`, then 4401. */
  revoke(connection: Connection, reason: string): void;
  /** Ends the subscriptions of a join. */
  endSubs(connection: Connection): void;
  /** Goes on with a close that waits for the buffer. */
  drained(connection: Connection): void;
  /** Cuts what has had its time. */
  expire(connection: Connection, now: number): void;
}

/** The object that a socket of an ended session gets (auth 3.6). */
export const reauthRequired = (reason: string) => ({
  code: "reauth_required",
  message: "session access was revoked; sign in again",
  reauth_required: true,
  reason,
});

export function createClosing({ hub, clock, metrics, noteError }: KhalaNode): Closing {
  function endSubs({ seat }: Connection): void {
    for (const sub of [...seat.subs.values()]) hub.detach(sub);
  }

  function close(connection: Connection, code: number, reason: string, graceMs = GRACE_MS): void {
    if (connection.closing || !connection.socket) return;
    connection.joined = null;
    connection.inbox.length = 0;
    endSubs(connection);
    connection.closing = { code, reason, deadline: clock.now() + graceMs };
    drained(connection);
  }

  /** The server layer forgets what it has buffered when it closes, so the buffer empties first. */
  function drained({ socket, closing }: Connection): void {
    if (socket && closing && socket.getBufferedAmount() === 0) socket.close(closing.code, closing.reason);
  }

  function expire({ socket, closing }: Connection, now: number): void {
    if (!closing || now < closing.deadline) return;
    socket?.terminate();
  }

  function revoke(connection: Connection, reason: string): void {
    if (connection.closing) return;
    tellError(connection, "sync.auth", reauthRequired(reason));
    noteError("reauth_required");
    metrics.count("khala_revocations_total", { reason });
    close(connection, 4401, "reauth_required", REVOKED_GRACE_MS);
  }

  return { close, revoke, endSubs, drained, expire };
}
