/** HTTP/1.1 by hand, for what no client would send. */
import { connect } from "node:net";

export interface Wire {
  /** Sends text or bytes; resolves when the system has taken them. */
  send(data: string | Uint8Array): Promise<void>;
  /** The first answer: status line, headers and as much of the body as has come when its head is there. */
  head(): Promise<{ status: number; text: string }>;
  /** Resolves when the other side has closed. */
  closed: Promise<void>;
  /** Bytes that this side has handed over. */
  sent(): number;
  end(): void;
}

/** Opens a connection to `url`. Errors of the socket count as closed. */
export function wire(url: string): Wire {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  let text = "";
  let sent = 0;
  const waiting: (() => void)[] = [];
  const wake = () => {
    for (const go of waiting.splice(0)) go();
  };
  socket.setEncoding("latin1");
  socket.on("data", (chunk) => {
    text += chunk;
    wake();
  });
  socket.on("error", wake);
  let over = false;
  const closed = new Promise<void>((done) =>
    socket.on("close", () => {
      over = true;
      wake();
      done();
    }),
  );
  return {
    closed,
    sent: () => sent,
    send: (data) =>
      new Promise((done) => {
        if (over) return done();
        socket.write(data, () => done());
        sent += data.length;
      }),
    async head() {
      while (!text.includes("\r\n\r\n")) {
        if (over) throw new Error(`closed without an answer: ${text}`);
        await new Promise<void>((go) => waiting.push(go));
      }
      return { status: Number(text.split(" ")[1]), text };
    },
    end: () => void socket.destroy(),
  };
}
