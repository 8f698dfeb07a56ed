/** One throttle (http-platform 3.3): fixed window, counted when a request reaches its guards. */
export interface Limit {
  limiter: string;
  /** `shared`: the one counter of `laravel`, by user id or address; the others: user, address, user else address. */
  by: "shared" | "user" | "address" | "userOrAddress";
  limit: number;
  seconds: number;
  /** `Too Many Attempts.` instead of `Too many requests. Retry in {n}s.` */
  attempts?: boolean;
}

/** The one counter that sign-in routes share; each has its own limit. */
const shared = (limit: number): Limit => ({ limiter: "laravel", by: "shared", limit, seconds: 60, attempts: true });

export const limits = {
  signInMail: shared(6),
  signInCode: shared(10),
  signUp: shared(30),
  codexRequest: { limiter: "runtime.codex.control.request", by: "user", limit: 60, seconds: 60 },
  threadMessage: { limiter: "runtime.thread.message", by: "user", limit: 60, seconds: 60 },
  pairDevice: { limiter: "pair.device", by: "address", limit: 10, seconds: 60 },
  pairToken: { limiter: "pair.token", by: "address", limit: 60, seconds: 60 },
  pairCode: { limiter: "pair.code", by: "user", limit: 10, seconds: 60 },
  loginLink: { limiter: "login.link", by: "address", limit: 10, seconds: 60, attempts: true },
  telemetry: { limiter: "telemetry", by: "userOrAddress", limit: 60, seconds: 60 },
  /** Failed proofs of a secret only (`proof.ts`). */
  internalAuth: { limiter: "internal.auth", by: "address", limit: 30, seconds: 60, attempts: true },
} as const satisfies Record<string, Limit>;
