import postgres from "postgres";
import { connection } from "./connection";
import type { Store } from "./database";
import { pgliteOf } from "./pglite";
import { postgresOf } from "./postgres";

/** One connection without statement limit, for work that holds a session lock: migrations, imports. */
export interface Session {
  kind: Store["kind"];
  /** Several statements at once, without parameters. */
  run(text: string): Promise<void>;
  query<T>(text: string, params?: (string | number | null)[]): Promise<T[]>;
  transaction<T>(work: (inside: Session) => Promise<T>): Promise<T>;
  end(): Promise<void>;
}

type Runner = Pick<Session, "run" | "query">;

function within(kind: Store["kind"], runner: Runner): Session {
  const refuse = () => Promise.reject(new Error("a transaction is open already"));
  return { kind, ...runner, transaction: refuse, end: refuse };
}

/** Opens a session beside the pool; on the embedded database it is the one connection that there is. */
export function openSession(store: Store): Session {
  const pg = pgliteOf(store);
  if (pg) {
    const runner = (on: Pick<typeof pg, "exec" | "query">): Runner => ({
      run: async (text) => void (await on.exec(text)),
      query: async <T>(text: string, params: (string | number | null)[] = []) => (await on.query<T>(text, params)).rows,
    });
    return {
      kind: "pglite",
      ...runner(pg),
      transaction: (work) => pg.transaction((tx) => work(within("pglite", runner(tx)))),
      end: async () => {},
    };
  }
  const options = postgresOf(store);
  if (!options) throw new Error("a store that open.ts did not open");
  const sql = postgres(options.url, {
    ...connection({ ...options, statementTimeoutMs: 0 }, 1, "session"),
    max_lifetime: null,
  });
  const runner = (on: postgres.Sql<{ bigint: number }>): Runner => ({
    run: async (text) => void (await on.unsafe(text)),
    query: async <T>(text: string, params: (string | number | null)[] = []) =>
      [...(await on.unsafe(text, params))] as T[],
  });
  return {
    kind: "postgres",
    ...runner(sql),
    transaction: async <T>(work: (inside: Session) => Promise<T>) =>
      (await sql.begin((tx) => work(within("postgres", runner(tx as never))))) as T,
    end: () => sql.end({ timeout: 5 }),
  };
}
