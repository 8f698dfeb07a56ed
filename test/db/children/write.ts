/** Inserts rows for ever and names each one that was acknowledged: `bun write.ts FOLDER`. Half of them in transactions. */
import { sql } from "drizzle-orm";
import { openDatabase } from "../../../db/open";

const store = await openDatabase({ kind: "pglite", folder: process.argv[2]!, checkpointMs: 500 });
await store.db.execute(sql`create table if not exists written (id int primary key, filler text)`);
const [last] = await store.rows<{ id: number }>(sql`select coalesce(max(id), 0) as id from written`);
let next = last!.id;

async function writer(inTransaction: boolean): Promise<never> {
  for (;;) {
    const id = ++next;
    const row = sql`insert into written values (${id}, repeat('x', 500))`;
    if (inTransaction) await store.db.transaction((tx) => tx.execute(row));
    else await store.db.execute(row);
    process.stdout.write(`${id}\n`);
  }
}

await Promise.all([writer(false), writer(true), writer(false), writer(true)]);
