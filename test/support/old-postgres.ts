import { createServer, type Socket } from "node:net";

/** A PostgreSQL that says of itself that it is `version` (`server_version_num`), and knows nothing else. */
export async function oldPostgres(version: number): Promise<{ url: string; close(): Promise<void> }> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    socket.on("error", () => {});
    let rest = Buffer.alloc(0);
    let greeted = false;
    let asked = "";
    socket.on("data", (chunk) => {
      rest = Buffer.concat([rest, Buffer.from(chunk)]);
      for (;;) {
        const head = greeted ? 1 : 0;
        if (rest.length < head + 4) return;
        const length = head + rest.readInt32BE(head);
        if (rest.length < length) return;
        const message = rest.subarray(0, length);
        rest = rest.subarray(length);
        if (!greeted) {
          greeted = true;
          socket.write(Buffer.concat([authenticated, ready]));
          continue;
        }
        const kind = String.fromCharCode(message[0] as number);
        if (kind === "P" || kind === "Q") asked = message.toString();
        const row = asked.includes("server_version_num") ? [frame("D", int16(1), text(String(version)))] : [];
        const columns = row.length ? [column("version")] : [];
        const answers: Record<string, Buffer[]> = {
          P: [frame("1")],
          D: [frame("t", int16(0)), frame("T", int16(columns.length), ...columns)],
          B: [frame("2")],
          E: [...row, frame("C", Buffer.from("SELECT 0\0"))],
          S: [ready],
          Q: [frame("T", int16(columns.length), ...columns), ...row, frame("C", Buffer.from("SELECT 0\0")), ready],
        };
        if (kind === "X") return void socket.end();
        socket.write(Buffer.concat(answers[kind] ?? []));
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  return {
    url: `postgres://app:hunter2@127.0.0.1:${port}/openagents`,
    async close() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const int16 = (value: number): Buffer => {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
};
const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
const text = (value: string): Buffer => Buffer.concat([int32(Buffer.byteLength(value)), Buffer.from(value)]);
const frame = (kind: string, ...parts: Buffer[]): Buffer => {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from(kind), int32(body.length + 4), body]);
};
/** An `int4` column in text form. */
const column = (name: string): Buffer =>
  Buffer.concat([Buffer.from(`${name}\0`), int32(0), int16(0), int32(23), int16(4), int32(-1), int16(0)]);

const ready = frame("Z", Buffer.from("I"));
const authenticated = frame("R", int32(0));
