/** A TCP address in front of another one, that can be taken away and given back. */
import { connect, createServer, type Socket } from "node:net";

export interface Pipe {
  port: number;
  /** Cuts every connection and takes no more. */
  down(): Promise<void>;
  /** Listens again on the same port. */
  up(): Promise<void>;
}

/** Forwards a free loopback port to `host:port`. */
export async function pipeTo(host: string, port: number): Promise<Pipe> {
  const sockets = new Set<Socket>();
  const server = createServer((inner) => {
    const outer = connect(port, host);
    const ends = [inner, outer];
    for (const [at, other] of [ends, ends.toReversed()] as [Socket, Socket][]) {
      sockets.add(at);
      at.on("error", () => other.destroy());
      at.on("close", () => {
        sockets.delete(at);
        other.destroy();
      });
      at.pipe(other);
    }
  });
  const listen = (on: number) => new Promise<void>((done) => void server.listen(on, "127.0.0.1", done));
  await listen(0);
  const address = server.address();
  const own = typeof address === "object" && address ? address.port : 0;
  return {
    port: own,
    down: () =>
      new Promise((done) => {
        server.close(() => done());
        for (const socket of sockets) socket.destroy();
      }),
    up: () => listen(own),
  };
}
