import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { streams } from "../../src/khala/streams";
import { type Client, claims, E, type Live, live, range } from "./live";

const eventually = async (look: () => boolean, what: string, ms = 15_000) => {
  const end = performance.now() + ms;
  while (!look()) {
    if (performance.now() > end) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
};

/** A WebSocket client that reads only when told, and knows the text frames that have arrived. */
class Lazy {
  private bytes = Buffer.alloc(0);
  readonly texts: string[] = [];
  ended = false;

  private constructor(readonly socket: Socket) {}

  static open(port: number): Promise<Lazy> {
    const socket = connect(port, "127.0.0.1");
    const lazy = new Lazy(socket);
    const token = encodeURIComponent(JSON.stringify(claims()));
    const lines = [
      `GET /sync/socket/websocket?frames=batch&token=${token} HTTP/1.1`,
      "host: x",
      "connection: Upgrade",
      "upgrade: websocket",
      "sec-websocket-version: 13",
      "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    socket.on("error", () => {});
    socket.on("close", () => {
      lazy.ended = true;
    });
    socket.write(`${lines.join("\r\n")}\r\n\r\n`);
    return new Promise((resolve) => {
      socket.once("data", (head: Buffer) => {
        const end = head.indexOf("\r\n\r\n") + 4;
        lazy.take(head.subarray(end));
        socket.on("data", (bytes: Buffer) => lazy.take(bytes));
        resolve(lazy);
      });
    });
  }

  send(message: unknown[]) {
    const body = Buffer.from(JSON.stringify(message));
    const head = Buffer.from([0x81, 0x80 | 126, body.length >> 8, body.length & 255, 0, 0, 0, 0]);
    this.socket.write(Buffer.concat([head, body]));
  }

  private take(bytes: Buffer) {
    this.bytes = Buffer.concat([this.bytes, bytes]);
    for (;;) {
      if (this.bytes.length < 2) return;
      const short = (this.bytes[1] as number) & 127;
      const start = short === 126 ? 4 : short === 127 ? 10 : 2;
      if (this.bytes.length < start) return;
      const length =
        short === 126 ? this.bytes.readUInt16BE(2) : short === 127 ? Number(this.bytes.readBigUInt64BE(2)) : short;
      if (this.bytes.length < start + length) return;
      if (((this.bytes[0] as number) & 15) === 1) this.texts.push(this.bytes.toString("utf8", start, start + length));
      this.bytes = this.bytes.subarray(start + length);
    }
  }

  marks = () =>
    this.texts
      .map((text) => JSON.parse(text))
      .filter((frame) => frame[3] === "sync:update_batch")
      .flatMap((frame) => frame[4].updates.map(({ watermark }: { watermark: number }) => watermark));

  async subscribe() {
    this.send([null, "1", "sync:v1", "phx_join", {}]);
    this.send([null, "2", "sync:v1", "sync:subscribe", { topics: [E], resume_after: { [E]: "head" } }]);
    await eventually(() => this.texts.some((text) => text.startsWith('[null,"2"')), "subscribed");
  }
}

describe("bad input and load", () => {
  let it: Live;
  let client: Client;
  beforeAll(async () => {
    it = await live("postgres", { OA_KHALA_SLOW_CONSUMER_SECONDS: "30" });
  });
  afterAll(() => it.close());
  afterEach(() => client?.close());

  const deep = (levels: number): unknown => (levels ? [deep(levels - 1)] : 1);
  const bad: [string, string][] = [
    ["no JSON", "hello"],
    ["an object", "{}"],
    ["three members", "[1,2,3]"],
    ["a number as event", '[null,"1","sync:v1",5,{}]'],
    ["a list as payload", '[null,"1","sync:v1","phx_join",[]]'],
    ["a boolean as ref", '[null,true,"sync:v1","phx_join",{}]'],
    ["too deep", JSON.stringify([null, "1", "sync:v1", "x", { a: deep(17) }])],
  ];
  for (const [name, text] of bad) {
    test(`50 ${name}`, async () => {
      client = await it.connect();
      client.raw(text);
      expect(await client.closing()).toEqual({ code: 4400, reason: "bad_frame" });
      expect(client.pushes("sync:error")).toEqual([{ code: "bad_frame", message: "frame is not a valid message" }]);
      expect(client.pushes("sync:frame")).toEqual([]);
    });
  }

  test("50 a binary message", async () => {
    client = await it.connect();
    client.raw(new Uint8Array([1]));
    expect(await client.closing()).toEqual({ code: 1003, reason: "text frames only" });
  });

  test("50 65,537 bytes; 65,536 are read", async () => {
    const message = (size: number) => {
      const text = JSON.stringify([null, "9", "phoenix", "heartbeat", { pad: "" }]);
      return text.replace('""', `"${"x".repeat(size - text.length)}"`);
    };
    client = await it.connect();
    client.raw(message(65_536));
    expect((await client.reply("9")).status).toBe("ok");
    client.raw(message(65_537));
    expect((await client.closing()).code).toBe(1009);
  });

  test("51 150 messages at once: some are refused, the rest answered; 300 end it", async () => {
    it.freeze(true);
    client = await it.connect();
    const refs = Array.from({ length: 150 }, () => client.post("heartbeat", {}, "phoenix"));
    const replies = await Promise.all(refs.map((ref) => client.reply(ref)));
    const limited = replies.filter(({ status }) => status === "error");
    // a burst of 100, of which the join was one
    expect(limited).toHaveLength(51);
    expect(limited[0]?.response).toMatchObject({ code: "rate_limited", retry_after_ms: expect.any(Number) });
    for (let i = 0; i < 300; i++) client.post("heartbeat", {}, "phoenix");
    expect(await client.closing()).toEqual({ code: 4429, reason: "rate_limited" });
    it.freeze(false);
  });

  test("54 a client that stops reading costs a bounded buffer, and gets everything when it reads again", async () => {
    const lazy = await Lazy.open(it.port);
    await lazy.subscribe();
    client = await it.connect();
    const start = (await client.subscribe([E], { [E]: "head" })).response.current_watermarks[0].watermark;
    lazy.socket.pause();
    const demoted = await it.total("khala_demotions_total");
    let most = 0;
    // 20 MiB, of which the kernel's buffers hold a few
    for (let i = 0; i < 40; i++) {
      await it.events(20, { pad: 25_000 });
      for (const one of it.sockets.connections) most = Math.max(most, one.seat.line.buffered());
    }
    await client.reach(E, start + 800);
    expect(client.marks(E)).toEqual(range(start, start + 800));
    expect(most).toBeLessThanOrEqual(1 << 20);
    expect(await it.total("khala_demotions_total")).toBeGreaterThan(demoted);
    lazy.socket.resume();
    await eventually(() => lazy.marks().length >= 800, "everything was read");
    expect(lazy.marks()).toEqual(range(start, start + 800));
    await it.events(1);
    await eventually(() => lazy.marks().length === 801, "and it is live again");
    lazy.socket.destroy();
  }, 60_000);

  test("54 a client that never reads again is closed 4409 and cut", async () => {
    const lazy = await Lazy.open(it.port);
    await lazy.subscribe();
    lazy.socket.pause();
    client = await it.connect();
    for (let i = 0; i < 30; i++) await it.events(20, { pad: 25_000 });
    const slow = () => [...it.sockets.connections].find((one) => one.seat.line.buffered() > 0);
    await eventually(() => slow() !== undefined, "its buffer fills");
    it.advance(29_000);
    await client.ask("sync:heartbeat");
    expect(slow()).toBeDefined();
    it.advance(2000);
    await eventually(() => slow()?.closing?.code === 4409 || slow() === undefined, "slow_consumer");
    it.advance(1000);
    await eventually(() => slow() === undefined, "the connection is gone");
    expect(await it.total("khala_slow_consumer_closes_total")).toBe(1);
    lazy.socket.destroy();
  }, 60_000);

  test("a revoked session's socket is cut though its client does not read", async () => {
    const lazy = await Lazy.open(it.port);
    await lazy.subscribe();
    lazy.socket.pause();
    for (let i = 0; i < 30; i++) await it.events(20, { pad: 25_000 });
    await eventually(() => [...it.sockets.connections].some((one) => one.seat.line.buffered() > 0), "its buffer fills");
    const payload = { session_ids: ["sess_7"], user_id: 7, reason: "user_requested" };
    await it.emit([{ stream: streams.revocations, kind: "session.revoked", docKey: "d", docVersion: 0, payload }]);
    await eventually(() => it.sockets.connections.size === 0, "all of its sockets are gone", 2000);
    lazy.socket.destroy();
  }, 60_000);

  test("7.3 one serialisation a channel, none a socket", async () => {
    const many = await Promise.all(Array.from({ length: 20 }, () => it.connect()));
    for (const one of many) await one.subscribe([E], { [E]: "head" });
    const before = it.node.hub.encoded();
    await it.events(1);
    await Promise.all(many.map((one) => one.until(() => one.marks(E).length === 1)));
    expect(it.node.hub.encoded() - before).toBe(1);
    for (const one of many) one.close();
  });

  test("55 the node stops: 1012 with a hint, spread over 2 s; new handshakes are refused", async () => {
    const many = await Promise.all(Array.from({ length: 6 }, () => it.connect()));
    const since = performance.now();
    const drained = it.sockets.drain();
    expect((await it.refused({})).body.reason_code).toBe("draining");
    const closes = await Promise.all(many.map((one) => one.closing()));
    await drained;
    expect(performance.now() - since).toBeGreaterThan(1000);
    for (const { code, reason } of closes) {
      expect(code).toBe(1012);
      expect(Number(/^reconnect_after_ms=(\d+)$/.exec(reason)?.[1])).toBeLessThanOrEqual(2000);
    }
  });
});
