/** Facts of Bun's sockets that delivery rests on (khala 3.6): a runtime that changes one of them fails here. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";

type Peer = Bun.ServerWebSocket<unknown>;

const LIMIT = 1 << 20;
let server: Bun.Server<unknown>;
let peer: Peer;
let got: string[] = [];
let client: WebSocket;
let closes: { code: number }[] = [];
let drains = 0;
const opened: ((ws: Peer) => void)[] = [];

beforeAll(() => {
  server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request, on) =>
      on.upgrade(request, { data: {}, headers: { "sec-websocket-protocol": "" } }) ? undefined : new Response(null),
    websocket: {
      backpressureLimit: LIMIT,
      closeOnBackpressureLimit: true,
      maxPayloadLength: 65_536,
      perMessageDeflate: false,
      open: (ws) => opened.shift()?.(ws),
      message: () => {},
      close: (_ws, code) => void closes.push({ code }),
      drain: () => {
        drains++;
      },
    },
  });
});
afterAll(() => server.stop(true));

async function until(look: () => boolean) {
  for (const end = performance.now() + 5000; !look(); ) {
    if (performance.now() > end) throw new Error(`never; got ${got}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

beforeEach(async () => {
  got = [];
  closes = [];
  drains = 0;
  const at = new Promise<Peer>((resolve) => opened.push(resolve));
  client = new WebSocket(`ws://127.0.0.1:${server.port}/`);
  client.onmessage = ({ data }) => got.push(String(data));
  peer = await at;
});
afterEach(() => client.close());

/** A client that stops reading after the handshake. */
async function deaf(): Promise<{ socket: Socket; ws: Peer }> {
  const at = new Promise<Peer>((resolve) => opened.push(resolve));
  const socket = connect(server.port as number, "127.0.0.1");
  socket.on("error", () => {});
  socket.write(
    "GET / HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  );
  const ws = await at;
  socket.pause();
  return { socket, ws };
}

describe("server layer", () => {
  test("send and publish to one socket arrive in call order, mixed and over several topics", async () => {
    peer.subscribe("a");
    peer.subscribe("b");
    const expected: string[] = [];
    for (let i = 0; i < 300; i++) {
      const text = `${i}${i % 7 === 0 ? "x".repeat(3000) : ""}`;
      expected.push(text);
      if (i % 3 === 0) peer.send(text);
      else server.publish(i % 3 === 1 ? "a" : "b", text);
    }
    await until(() => got.length === 300);
    expect(got).toEqual(expected);
  });

  test("a publish before subscribe in the same tick is not received; one after it is", async () => {
    server.publish("late", "before");
    peer.subscribe("late");
    server.publish("late", "after");
    await until(() => got.length > 0);
    peer.send("end");
    await until(() => got.includes("end"));
    expect(got).toEqual(["after", "end"]);
  });

  test("a publish before unsubscribe is received, in order; one after it is not", async () => {
    peer.subscribe("c");
    server.publish("c", "1");
    peer.unsubscribe("c");
    server.publish("c", "2");
    peer.send("end");
    await until(() => got.includes("end"));
    expect(got).toEqual(["1", "end"]);
  });

  test("subscriberCount counts at once", () => {
    expect(server.subscriberCount("d")).toBe(0);
    peer.subscribe("d");
    expect(server.subscriberCount("d")).toBe(1);
    peer.unsubscribe("d");
    expect(server.subscriberCount("d")).toBe(0);
  });

  test("the buffer counts published bytes; drain tells when they are gone", async () => {
    const { socket, ws } = await deaf();
    ws.subscribe("e");
    const chunk = "x".repeat(65_536);
    for (let i = 0; i < 400 && ws.getBufferedAmount() === 0; i++) {
      server.publish("e", chunk);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const before = ws.getBufferedAmount();
    expect(before).toBeGreaterThan(0);
    server.publish("e", chunk);
    expect(ws.getBufferedAmount()).toBeGreaterThanOrEqual(before + chunk.length);
    socket.resume();
    await until(() => drains > 0 && ws.getBufferedAmount() === 0);
    socket.destroy();
  });

  test("a publish beyond the limit closes the socket: never a silent gap", async () => {
    const { socket, ws } = await deaf();
    ws.subscribe("f");
    const chunk = "x".repeat(65_536);
    for (let i = 0; i < 400 && ws.readyState === 1; i++) {
      server.publish("f", chunk);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until(() => closes.length > 0);
    expect(closes[0]?.code).toBe(1006);
    socket.destroy();
  });
});
