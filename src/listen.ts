import { lstatSync, rmSync } from "node:fs";
import { connect } from "node:net";
import type { App } from "./app";
import type { Bind } from "./bind";
import { Exit } from "./exit";
import { largestBody } from "./http/body";

/**
 * Takes away the socket file that a server left which was killed. Throws `Exit` 69 when one still answers there, 73 when the
 * path is some other file.
 */
export async function clearSocket(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return;
  const elsewhere = "choose another path with --socket";
  if (!found.isSocket()) throw new Exit(73, `${path} is there already and is no socket`, elsewhere);
  const answers = await new Promise<boolean>((resolve) => {
    const line = connect(path);
    line.on("connect", () => resolve(true)).on("error", () => resolve(false));
    line.on("connect", () => line.destroy());
  });
  if (answers) throw new Exit(69, `${path} is in use by another program`, `stop that program, or ${elsewhere}`);
  rmSync(path, { force: true });
}

/** Opens the listener. Throws `Exit` 69 when the address is taken, 77 when this user may not listen there. */
export function listen(bind: Bind, app: App, options: { reusePort: boolean; draining(): boolean }) {
  const answer: App["fetch"] = async (request, server) => {
    const response = await app.fetch(request, server);
    // Balancers and browsers take their next request elsewhere.
    if (options.draining()) response?.headers.set("connection", "close");
    return response;
  };
  const base = {
    development: false,
    maxRequestBodySize: largestBody,
    websocket: app.sockets.websocket,
    error: () => new Response(null, { status: 500 }),
  };
  try {
    if ("socket" in bind) {
      return Bun.serve({ ...base, unix: bind.socket, fetch: (request, server) => answer(request, server as never) });
    }
    return Bun.serve({
      ...base,
      hostname: bind.host,
      port: bind.port,
      idleTimeout: 60,
      reusePort: options.reusePort,
      fetch: (request, server) => (options.draining() ? answer(request, server) : app.fetch(request, server)),
    });
  } catch (error) {
    throw refusal(bind, error);
  }
}

function refusal(bind: Bind, error: unknown): Exit {
  const code = (error as { code?: string }).code;
  const where = "socket" in bind ? bind.socket : `${bind.host}:${bind.port}`;
  if (code === "EADDRINUSE") {
    const find = "socket" in bind ? "" : ` ('ss -ltnp sport = :${bind.port}' names it)`;
    return new Exit(
      69,
      `${where} is in use by another program`,
      `stop that program${find}, or choose another address with --port`,
    );
  }
  if (code === "EACCES") {
    return new Exit(77, `${where} may not be listened on by this user`, "choose a port above 1023 with --port");
  }
  return new Exit(
    69,
    `cannot listen on ${where} (${code ?? String(error)})`,
    "choose another address with --host and --port",
  );
}

/** Closes the listener; what is being answered has `limitMs` to finish, then it is cut. */
export async function finishRequests(
  server: { stop(force?: boolean): Promise<void> },
  inFlight: () => number,
  limitMs: number,
): Promise<void> {
  const closed = server.stop(false);
  const limit = performance.now() + limitMs;
  while (inFlight() > 0 && performance.now() < limit) await Bun.sleep(10);
  await Promise.race([closed, Bun.sleep(50)]);
  await server.stop(true);
}
