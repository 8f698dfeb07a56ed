/** Migrates with a second file that takes long: `bun migrate.ts FOLDER|URL`. Says `in` when it begins. */
import { migrate } from "../../../db/migrate";
import { migrations } from "../../../db/migrations";
import { openDatabase } from "../../../db/open";
import { slow } from "./slow";

const where = process.argv[2]!;
const store = await openDatabase(
  where.includes("://") ? { kind: "postgres", url: where } : { kind: "pglite", folder: where },
);
process.stdout.write("in\n");
await migrate(store, { appliedBy: "test", files: [...migrations, slow] });
process.stdout.write("done\n");
process.exit(0);
