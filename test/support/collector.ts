/**
 * A collector of traces on loopback: OTLP over HTTP in protobuf, read by the field numbers of opentelemetry-proto 1.x.
 *
 * ```ts
 * const collector = fakeCollector();
 * // OTEL_EXPORTER_OTLP_ENDPOINT: collector.url
 * const spans = await collector.spans(2);      // waits for that many
 * collector.fault = "500";
 * await collector.close();
 * ```
 */
export interface CollectedSpan {
  traceId: string;
  spanId: string;
  parentId: string;
  name: string;
  kind: number;
  startedAt: bigint;
  endedAt: bigint;
  attributes: Record<string, string | number>;
  status: number;
  resource: Record<string, string | number>;
}

/** `hang`: never answers. */
type Fault = "500" | "hang";

export interface FakeCollector {
  url: string;
  fault: Fault | null;
  calls: { path: string; headers: Headers; bytes: number }[];
  accepted: CollectedSpan[];
  /** Resolves when `count` spans have come. */
  spans(count: number): Promise<CollectedSpan[]>;
  /** Resolves when `count` calls have come. */
  called(count: number): Promise<void>;
  close(): Promise<void>;
}

type Field = { no: number; value: bigint | Uint8Array };

/** The fields of a protobuf message, in order. */
function fields(bytes: Uint8Array): Field[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found: Field[] = [];
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++] as number;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const key = Number(varint());
    const no = key >> 3;
    const type = key & 7;
    if (type === 0) found.push({ no, value: varint() });
    else if (type === 1) {
      found.push({ no, value: view.getBigUint64(at, true) });
      at += 8;
    } else if (type === 5) {
      found.push({ no, value: BigInt(view.getUint32(at, true)) });
      at += 4;
    } else if (type === 2) {
      const length = Number(varint());
      found.push({ no, value: bytes.subarray(at, at + length) });
      at += length;
    } else throw new Error(`wire type ${type}`);
  }
  return found;
}

const all = (message: Uint8Array, no: number) =>
  fields(message)
    .filter((field) => field.no === no)
    .map(({ value }) => value as Uint8Array);
const one = (message: Uint8Array, no: number) => all(message, no)[0] ?? new Uint8Array();
const number = (message: Uint8Array, no: number) =>
  (fields(message).find((field) => field.no === no)?.value as bigint | undefined) ?? 0n;
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

/** `KeyValue`s: strings and whole numbers. */
const attributes = (list: Uint8Array[]) =>
  Object.fromEntries(
    list.map((pair) => {
      const [value] = fields(one(pair, 2));
      return [text(one(pair, 1)), value?.no === 1 ? text(value.value as Uint8Array) : Number(value?.value)];
    }),
  );

function read(body: Uint8Array): CollectedSpan[] {
  return all(body, 1).flatMap((group) => {
    const resource = attributes(all(one(group, 1), 1));
    return all(group, 2).flatMap((scope) =>
      all(scope, 2).map((span) => ({
        traceId: hex(one(span, 1)),
        spanId: hex(one(span, 2)),
        parentId: hex(one(span, 4)),
        name: text(one(span, 5)),
        kind: Number(number(span, 6)),
        startedAt: number(span, 7),
        endedAt: number(span, 8),
        attributes: attributes(all(span, 9)),
        status: Number(number(one(span, 15), 3)),
        resource,
      })),
    );
  });
}

export function fakeCollector(): FakeCollector {
  let wake = Promise.withResolvers<void>();
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const body = await request.bytes();
      collector.calls.push({ path: new URL(request.url).pathname, headers: request.headers, bytes: body.length });
      const { fault } = collector;
      if (!fault) collector.accepted.push(...read(body));
      wake.resolve();
      wake = Promise.withResolvers();
      if (fault === "hang") return new Promise<Response>(() => {});
      return new Response(null, { status: fault ? 500 : 200, headers: { "content-type": "application/x-protobuf" } });
    },
  });
  const until = async (enough: () => boolean) => {
    while (!enough()) await wake.promise;
  };
  const collector: FakeCollector = {
    url: `http://127.0.0.1:${server.port}`,
    fault: null,
    calls: [],
    accepted: [],
    async spans(count) {
      await until(() => collector.accepted.length >= count);
      return collector.accepted;
    },
    called: (count) => until(() => collector.calls.length >= count),
    close: () => server.stop(true),
  };
  return collector;
}
