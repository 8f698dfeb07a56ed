import { readFileSync } from "node:fs";

function commandOf(pid: number): string {
  try {
    if (process.platform === "linux") return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
    return Bun.spawnSync(["ps", "-o", "args=", "-p", String(pid)]).stdout.toString();
  } catch {
    return "";
  }
}

/**
 * Waits for the Codex of a killed bridge to end, which it does when its input ends: what it still writes down must be there
 * before the next one looks. One that stays for `patienceMs` is told to end, and after as long again is killed.
 */
export async function orphanGone(pid: number, patienceMs = 5000): Promise<void> {
  const isThere = () => / app-server( |$)/.test(commandOf(pid));
  const end = (signal: NodeJS.Signals) => {
    try {
      process.kill(pid, signal);
    } catch {
      // gone in between
    }
  };
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    const limit = performance.now() + patienceMs;
    while (isThere() && performance.now() < limit) await Bun.sleep(20);
    if (!isThere()) return;
    end(signal);
  }
}
