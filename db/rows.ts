/** A column as either driver describes it. */
export interface Column {
  name: string;
  oid: number;
}

const BYTEA = 17;
const INT8 = 20;
const TIMESTAMPTZ = 1184;

/** One value alike on both engines: `bigint` as number, `timestamptz` as `Date`, `bytea` as `Uint8Array`. */
function alike(value: unknown, oid: number): unknown {
  if (value === null) return null;
  if (oid === INT8) return Number(value);
  if (oid === TIMESTAMPTZ) return value instanceof Date ? value : new Date(String(value));
  if (oid === BYTEA && value instanceof Uint8Array)
    return value.constructor === Uint8Array ? value : new Uint8Array(value);
  return value;
}

/** Rows of a raw statement with the same values whichever driver read them. Changes the rows in place. */
export function alikeRows<T extends Record<string, unknown>>(rows: Record<string, unknown>[], columns: Column[]): T[] {
  const changing = columns.filter(({ oid }) => oid === INT8 || oid === TIMESTAMPTZ || oid === BYTEA);
  for (const row of rows) for (const { name, oid } of changing) row[name] = alike(row[name], oid);
  return rows as T[];
}
