import { type SQL, sql } from "drizzle-orm";
import type { Store } from "./database";

/** What must hold of stored rows (ops-data 3.4). A domain states those of its tables. */
export interface Invariant {
  id: string;
  /** Selects `key` of each row that breaks it. */
  broken: SQL;
}

export interface Broken {
  id: string;
  violations: number;
  /** Up to five keys. */
  sample: string[];
}

/** Those that do not hold. Reads only. */
export async function brokenInvariants(store: Store, invariants: Invariant[]): Promise<Broken[]> {
  const found: Broken[] = [];
  for (const { id, broken } of [...invariants, ...(await sequences(store))]) {
    const rows = await store.rows<{ key: string; n: number }>(
      sql`select key::text as key, count(*) over () as n from (${broken}) as broken order by 1 limit 5`,
    );
    if (rows[0]) found.push({ id, violations: rows[0].n, sample: rows.map(({ key }) => key) });
  }
  return found;
}

/** Every identity sequence is past the highest number of its column, or the next row would meet another. */
async function sequences(store: Store): Promise<Invariant[]> {
  const columns = await store.rows<{ table: string; column: string; sequence: string }>(
    sql`select c.table_name as table, c.column_name as column,
          pg_get_serial_sequence(quote_ident(c.table_name), c.column_name) as sequence
        from information_schema.columns c
        where c.table_schema = 'public' and pg_get_serial_sequence(quote_ident(c.table_name), c.column_name) is not null`,
  );
  return columns.map(({ table, column, sequence }) => ({
    id: "sequences",
    broken: sql`select ${`${table}.${column}`} as key from ${sql.raw(sequence)} s
      where (select max(${sql.identifier(column)}) from ${sql.identifier(table)}) > case when s.is_called then s.last_value else s.last_value - 1 end`,
  }));
}
