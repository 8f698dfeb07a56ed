/** Who a request comes from, as the guards found out (auth 2.0). What `http/` and every domain know of a person. */
export interface Caller {
  user: {
    id: number;
    name: string;
    email: string;
    handle: string | null;
    avatar: string;
    workosId: string;
    isAdmin: boolean;
    createdAt: Date | null;
    updatedAt: Date | null;
  };
  credential: "session" | "pat";
  /** How the credential came. Cookie callers pass CSRF. */
  lane: "bearer" | "cookie";
  /** `sess_…`, or `pat:{id}` (auth 3.4). */
  sessionId: string;
  deviceId: string;
  tokenName: string;
  activeOrgId: string;
  /** Set for a PAT. */
  tokenId: number | null;
  /** PAT abilities; a session has `["*"]`. */
  abilities: string[];
  /** Set on a worker token: the only worker it reaches (remote-control 2). */
  workerId: string | null;
}

/** Whether the caller holds ability `name` (auth 3.4). */
export const can = (caller: Caller, name: string): boolean =>
  caller.abilities.includes("*") || caller.abilities.includes(name);

/** A worker token opens only what its contract lists. */
export const isWorkerToken = (caller: Caller): boolean =>
  caller.credential === "pat" && caller.abilities.includes("codex:worker") && !caller.abilities.includes("*");
