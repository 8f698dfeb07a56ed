// Written by db/generate.ts: every migration, in order, embedded in the executable.
import m1 from "./0001_initial.expand.sql" with { type: "text" };

/** Name without `.sql`, and the SQL as it stands in the file. */
export const migrations: { name: string; text: string }[] = [
  // oldest first
  { name: "0001_initial.expand", text: m1 },
];
