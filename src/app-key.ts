import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "./config";
import { Exit } from "./exit";
import { makeAppKey, readAppKey } from "./keys";

/** The app key of this installation: `APP_KEY`, else `keys/app_key` in the data folder, made when absent (ops-data 2.4). */
export function withAppKey(config: Config, folder: string): Config {
  if (config.APP_KEY) {
    if (!readAppKey(config.APP_KEY)) throw new Exit(78, "APP_KEY must be 'base64:' and 32 bytes, or 32 characters");
    return config;
  }
  if (config.DATABASE_URL) {
    throw new Exit(
      78,
      "APP_KEY is not set",
      "set it once and keep it, the same on every node: APP_KEY=base64:$(head -c 32 /dev/urandom | base64)",
    );
  }
  const file = join(folder, "keys/app_key");
  if (!existsSync(file)) {
    mkdirSync(join(folder, "keys"), { recursive: true, mode: 0o700 });
    writeFileSync(file, `${makeAppKey()}\n`, { mode: 0o600, flag: "wx" });
  }
  const key = readFileSync(file, "utf8").trim();
  if (!readAppKey(key))
    throw new Exit(
      78,
      `${file} holds no app key`,
      "restore the file from a backup: without it sealed secrets cannot be read",
    );
  return { ...config, APP_KEY: key };
}
