/** Load for figures: `wrk` from Debian's packages, in a process of its own so that the client is not what is measured. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Load {
  connections?: number;
  seconds?: number;
  headers?: Record<string, string>;
}

export const loadSeconds = 2;

/** Requests per second that `url` answered with 2xx. Throws when any request failed. */
export async function load(
  url: string,
  { connections = 32, seconds = loadSeconds, headers = {} }: Load = {},
): Promise<number> {
  if (!Bun.which("wrk")) {
    const made = spawnSync("apt-get", ["install", "-y", "--no-install-recommends", "wrk"]);
    if (made.status !== 0) throw new Error("wrk is needed: apt-get install wrk");
  }
  const folder = mkdtempSync(join(tmpdir(), "oa-bench-"));
  const script = join(folder, "headers.lua");
  writeFileSync(
    script,
    Object.entries(headers)
      .map(([name, value]) => `wrk.headers["${name}"] = "${value}"`)
      .join("\n"),
  );
  try {
    const run = Bun.spawn(["wrk", "-t1", `-c${connections}`, `-d${seconds}s`, "-s", script, url], {
      stdout: "pipe",
      stderr: "pipe",
    });
    const text = await new Response(run.stdout).text();
    const bad = /Non-2xx or 3xx responses: (\d+)|Socket errors: (.*)/.exec(text);
    if (bad) throw new Error(`${url}: ${bad[0]}`);
    return Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1] ?? 0);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The median of several numbers. */
export const median = (values: number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;

/** Runs two loads in turn, `rounds` times, and gives the medians and their ratio. */
export async function compare(ours: () => Promise<number>, yardstick: () => Promise<number>, rounds = 3) {
  const pairs: [number, number][] = [];
  for (let i = 0; i < rounds; i++) pairs.push([await ours(), await yardstick()]);
  const a = median(pairs.map(([value]) => value));
  const b = median(pairs.map(([, value]) => value));
  return { ours: a, yardstick: b, ratio: a / b };
}
