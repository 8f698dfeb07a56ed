import type { Call } from "../command";
import { configProblems } from "../config-problems";

export async function run({ options, io, json }: Call): Promise<number> {
  const { config: file, dataDir } = options as { config?: string; dataDir?: string };
  const problems = configProblems({ file, dataDir });
  const failed = problems.some(({ level }) => level === "error");
  if (json) io.out(`${JSON.stringify({ status: failed ? "error" : "ok", problems })}\n`);
  else {
    for (const { level, text } of problems) io.out(`${level.padEnd(7)}  ${text}\n`);
    if (!problems.length) io.out("The configuration is in order.\n");
  }
  return failed ? 78 : 0;
}
