import type { Config } from "./config";
import { Exit } from "./exit";

/** Where `serve` listens. */
export type Bind = { socket: string } | { host: string; port: number };

const loopbackHost = (host: string): boolean => host === "localhost" || host === "::1" || host.startsWith("127.");

export const isLoopback = (bind: Bind): boolean => "socket" in bind || loopbackHost(bind.host);

/** Address and port (ops-data 2.6). Anything but loopback needs `APP_URL` (auth 3.16). */
export function bindOf(
  config: Config,
  options: { host?: string | undefined; port?: string | undefined; socket?: string | undefined },
): Bind {
  if (options.socket) return { socket: options.socket };
  const [address, addressPort] = split(config.OA_BIND_ADDR);
  const host = options.host ?? config.OA_BIND_HOST ?? address ?? "127.0.0.1";
  const port = options.port === undefined ? (config.PORT ?? addressPort ?? 8787) : Number(options.port);
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    if (options.port === undefined) throw new Exit(78, `PORT must be a number from 0 to 65535, not ${port}`);
    throw new Exit(2, `--port must be a number from 0 to 65535, not '${options.port}'`);
  }
  if (!loopbackHost(host) && !config.APP_URL) {
    throw new Exit(
      78,
      `APP_URL is not set, and ${host} can be reached by others`,
      "set APP_URL to the address people will open, or leave --host out to serve this machine only",
    );
  }
  return { host, port };
}

function split(address: string | null): [string | null, number | null] {
  if (!address) return [null, null];
  const at = address.lastIndexOf(":");
  if (at < 0) return [address, null];
  return [address.slice(0, at).replace(/^\[|\]$/g, "") || null, Number(address.slice(at + 1)) || null];
}

/** URL of the address that is listened on. */
export const addressOf = (host: string, port: number): string =>
  `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
