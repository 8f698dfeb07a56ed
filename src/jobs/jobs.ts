import type { Database } from "../../db/database";

export interface JobOptions {
  /** Not before this instant. */
  startAt?: Date;
  /** A live job with the same key wins and this one is not stored. */
  key?: string;
}

export interface JobKind<P> {
  kind: string;
  /** How often in all, with seconds before the second try; `double` doubles the wait each time (http-platform 3.13). */
  tries: number;
  backoffSeconds: number;
  double?: boolean;
  concurrency?: number;
  run(payload: P, job: { id: string; try: number; signal: AbortSignal }): Promise<void>;
}

/** Durable work over pg-boss (http-platform 3.13). */
export interface Jobs {
  /** Declares a kind; before `start`. */
  define<P>(kind: JobKind<P>): void;
  /** Runs `kind` by `cron` (UTC, minutes the finest step), once among all nodes. Before `start`. */
  every(cron: string, kind: string): void;
  /** Stores a job in the caller's transaction; `payload` is an object or null. After `start`. Only `commit` calls it. */
  enqueue(db: Database, kind: string, payload: unknown, options?: JobOptions): Promise<void>;
  /** Opens the queue; with `run` false (`serve --no-jobs`, commands) this node only stores jobs. */
  start(options?: { run: boolean }): Promise<void>;
  /** While `start` is under way, its promise: a transaction that may store a job begins after it. */
  opening(): Promise<void> | null;
  /** Claims nothing new and waits for what runs, at most `ms`; what still runs then is given back and loses no try. */
  stop(ms: number): Promise<void>;
  /** What `/readyz` says. */
  ready(): boolean;
}
