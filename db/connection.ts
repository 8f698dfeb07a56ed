import { hostname } from "node:os";
import type { Options, PostgresType } from "postgres";

export interface PostgresOptions {
  kind: "postgres";
  /** `postgres://…`; `sslmode` in it is honoured. */
  url: string;
  poolSize?: number;
  connectTimeoutMs?: number;
  /** 0 = no limit (migrations, backup, import). */
  statementTimeoutMs?: number;
  /** How long to go on trying to reach the server; 0 = one try. */
  waitMs?: number;
  /** Told after each try that failed, with a reason that holds no secret. */
  onRetry?: (reason: string) => void;
}

const INT8 = 20;

/** `bigint` columns as numbers, as PGlite gives them. */
const bigint: PostgresType<number> = { to: INT8, from: [INT8], serialize: String, parse: Number };

/** What an operator sees in `pg_stat_activity`: which process holds a connection, and for what. At most 63 bytes. */
export const applicationName = (use = ""): string =>
  `openagents ${hostname().slice(0, 32)}:${process.pid}${use ? ` ${use}` : ""}`;

/** Connection settings that every connection to `url` shares: UTC, quiet notices, a name, the limits. */
export function connection(
  options: PostgresOptions,
  max: number,
  use?: string,
): Options<{ bigint: PostgresType<number> }> {
  const { connectTimeoutMs = 5000, statementTimeoutMs = 30_000 } = options;
  return {
    max,
    // a server that restarts takes every connection at once: none waits longer than a second for the next try
    backoff: (retries) => Math.min(0.05 * retries, 1),
    connect_timeout: connectTimeoutMs / 1000,
    onnotice: () => {},
    types: { bigint },
    connection: {
      TimeZone: "UTC",
      application_name: applicationName(use),
      statement_timeout: statementTimeoutMs,
      idle_in_transaction_session_timeout: 60_000,
    },
  };
}
