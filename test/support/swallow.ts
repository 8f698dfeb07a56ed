/**
 * A relay between a bridge and a server that can keep requests from arriving: what `swallow` says yes to is never passed on
 * and never answered, as when the line is cut.
 */
export interface Relay {
  url: string;
  /** Resolves when the first request was swallowed. */
  swallowed: Promise<void>;
  stop(): void;
}

export function startRelay(target: string, swallow: (path: string, body: string) => boolean): Relay {
  let tell: () => void = () => {};
  const swallowed = new Promise<void>((resolve) => {
    tell = resolve;
  });
  const server = Bun.serve<WebSocket>({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    async fetch(request, own) {
      const { pathname, search } = new URL(request.url);
      const protocols = request.headers.get("sec-websocket-protocol");
      if (protocols) {
        const upstream = new WebSocket(target.replace(/^http/, "ws") + pathname + search, protocols.split(/,\s*/));
        await new Promise((resolve) => {
          upstream.onopen = resolve;
          upstream.onerror = resolve;
        });
        return own.upgrade(request, { data: upstream, headers: { "sec-websocket-protocol": "khala.ws.v1" } })
          ? undefined
          : new Response(null, { status: 502 });
      }
      const body = await request.text();
      if (swallow(pathname, body)) {
        tell();
        return new Promise(() => {});
      }
      const headers = new Headers(request.headers);
      headers.delete("host");
      const asked = { method: request.method, headers, decompress: false, ...(body ? { body } : {}) };
      return fetch(target + pathname + search, asked);
    },
    websocket: {
      open(ws) {
        ws.data.onmessage = ({ data }) => void ws.send(data as string);
        ws.data.onclose = ({ code, reason }) => ws.close(code === 1006 ? 1011 : code, reason);
      },
      message: (ws, data) => ws.data.send(data as string),
      close: (ws) => ws.data.close(),
    },
  });
  return { url: `http://127.0.0.1:${server.port}`, swallowed, stop: () => void server.stop(true) };
}
