import { closeSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { isAlive } from "../../db/lock";

/** Runs `work` while no other process holds `file`; a holder that died is passed over. */
export async function takeTurn<T>(file: string, work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      const handle = openSync(file, "wx");
      writeSync(handle, String(process.pid));
      closeSync(handle);
      break;
    } catch {
      let holder = 0;
      try {
        holder = Number(readFileSync(file, "utf8"));
      } catch {}
      if (holder > 0 && !isAlive(holder)) rmSync(file, { force: true });
      await Bun.sleep(20);
    }
  }
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}
