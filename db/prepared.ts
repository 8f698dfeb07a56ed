import type postgres from "postgres";

type Client = postgres.Sql<{ bigint: number }> | postgres.TransactionSql<{ bigint: number }>;
type Unsafe = Client["unsafe"];

/** Longer texts are lists of values written out, which hardly come a second time. */
const longest = 4096;

/** Texts that are prepared, for good: a connection keeps each it has seen. */
const most = 1000;

/**
 * Prepares what Drizzle sends. It would send every statement without a name, which costs a second round trip, since the driver
 * asks for the types of the parameters first, and planning every time. `?prepare=false` in the URL turns it off, for poolers
 * that hand a connection to another client between statements.
 */
export function preparing(sql: postgres.Sql<{ bigint: number }>): postgres.Sql<{ bigint: number }> {
  const texts = new Set<string>();
  const seen = new Set<string>();
  /** From its second time on: lists of ever other lengths must not take the place of what comes again and again. */
  const isWorth = (text: string): boolean => {
    if (texts.has(text)) return true;
    if (text.length > longest || texts.size >= most) return false;
    if (seen.delete(text)) {
      texts.add(text);
      return true;
    }
    if (seen.size >= most) seen.clear();
    seen.add(text);
    return false;
  };
  const wrap = <C extends Client>(client: C): C => {
    const plain = client.unsafe as Unsafe;
    const unsafe: Unsafe = (text, params, options) =>
      plain(text, params, params?.length ? { ...options, prepare: isWorth(text) } : options);
    return Object.assign(client, { unsafe });
  };
  const begin = sql.begin as (work: (tx: postgres.TransactionSql<{ bigint: number }>) => unknown) => Promise<unknown>;
  Object.assign(sql, {
    begin: (work: (tx: postgres.TransactionSql<{ bigint: number }>) => unknown) => begin((tx) => work(wrap(tx))),
  });
  return wrap(sql);
}
