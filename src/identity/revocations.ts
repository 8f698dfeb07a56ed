import type { Unit } from "../context";

/** Why a session, token or account ended, as clients are told. */
export type RevocationReason =
  | "user_requested"
  | "admin_revoked"
  | "token_replay"
  | "device_replaced"
  | "security_policy";

export const revocationReasons = [
  "user_requested",
  "admin_revoked",
  "token_replay",
  "device_replaced",
  "security_policy",
] as const satisfies RevocationReason[];

interface Revocation {
  userId: number;
  /** `sess_…` and `pat:{id}`; null = everything of the user. */
  ids: string[] | null;
  reason: RevocationReason;
  /** Devices of the ended sessions, for the audit row. */
  devices: string[];
  requestId: string;
}

/**
 * Queues what ended, in the transaction that ends it, for every node's sockets (auth.md 3.6, khala.md 3.9), with the audit
 * row of its propagation. Nothing ended, nothing queued.
 */
export function announceRevocation(unit: Unit, { userId, ids, reason, devices, requestId }: Revocation): void {
  if (ids?.length === 0) return;
  unit.append({
    stream: "sys.revocations",
    kind: "session.revoked",
    docKey: `user:${userId}`,
    docVersion: 0,
    payload: { session_ids: ids, user_id: userId, reason },
  });
  unit.audit({
    event: "auth.sessions.revocation.propagation.completed",
    requestId,
    attributes: {
      reason,
      session_count: String(ids?.length ?? 0),
      device_count: String(new Set(devices).size),
    },
  });
}
