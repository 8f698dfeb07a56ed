/** Takes a data folder and says `held`, or says why not: `bun hold.ts FOLDER`. Holds it until it is killed. */
import { StoreError } from "../../../db/failure";
import { lockFolder } from "../../../db/lock";

try {
  lockFolder(process.argv[2]!);
  process.stdout.write("held\n");
  setInterval(() => {}, 1000);
} catch (error) {
  if (!(error instanceof StoreError)) throw error;
  process.stdout.write(`${error.exitCode} ${error.message}\n`);
}
