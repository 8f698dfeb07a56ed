/** What a verified sync token says (auth 3.7). Times in epoch seconds. */
export interface SyncClaims {
  userId: number;
  subject: string;
  orgId: string;
  /** `sess_…` or `pat:{id}`. */
  sessionId: string;
  deviceId: string;
  scopes: string[];
  expiresAt: number;
  /** All claims as signed, for those that only Khala reads (`oa_client`, `oa_protocol_version`, …). */
  claims: Record<string, unknown>;
}

/** Whether a session or PAT is over, and when it will be. */
export interface Standing {
  userId: number;
  /** Why it ended, or null while it lives. */
  ended: string | null;
  /** When it ends by itself; null = never. */
  endsAt: Date | null;
  /** Set for a token that reaches one worker only (remote-control 2): its codex topics are filtered. */
  workerId?: string | null;
}

/**
 * What Khala asks of the domains above it. The look-ups take many questions at once and answer in the same places, so that
 * the recheck of all sockets costs few statements (khala 3.9).
 */
export interface Access {
  /** Everything of auth 3.7 except whether the session lives. */
  verify(token: string): Promise<SyncClaims | { denied: string }>;
  /** A session that is missing from the answer is over, reason `user_requested`. */
  standings(sessionIds: string[]): Promise<Map<string, Standing>>;
  /** Whether the user is a member of the organisation now. */
  members(asked: { userId: number; orgId: string }[]): Promise<boolean[]>;
  /** Primary key of the worker if it is the user's, else null. */
  workers(asked: { userId: number; workerId: string }[]): Promise<(string | null)[]>;
  /** Whether the run is the user's. */
  runs(asked: { userId: number; runId: string }[]): Promise<boolean[]>;
}
