import type { Config } from "./config";

/** Pretty on a terminal, JSON elsewhere, unless said (ops-data 2.6). */
export const logFormat = (config: Config): "json" | "pretty" => {
  const said = config.OA_LOG_FORMAT?.toLowerCase();
  if (said === "json" || said === "pretty") return said;
  return process.stderr.isTTY ? "pretty" : "json";
};
