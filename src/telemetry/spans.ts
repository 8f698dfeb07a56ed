import type { ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import type { Config } from "../config";
import type { Outbound } from "../http/outbound";
import { within } from "../within";
import type { Log } from "./log";
import type { Metrics } from "./metrics";

/** One piece of work of a trace: a request that was answered here, or a call that was made from here. */
export interface Span {
  traceId: string;
  spanId: string;
  parentId: string | null;
  kind: "server" | "client";
  /** `GET /api/me`. */
  name: string;
  /** Milliseconds since 1970. */
  startedAt: number;
  durationMs: number;
  /** Names of OpenTelemetry's semantic conventions; never a query, a body or a secret. */
  attributes: Record<string, string | number>;
  failed: boolean;
}

/** Spans on their way to a collector, by OTLP over HTTP (http-platform 2.5, 6). Never delays or fails a request. */
export interface Spans {
  record(span: Span): void;
  /** Sends what waits; at most 2 s. */
  flush(): Promise<void>;
}

interface SpansParts {
  config: Config;
  outbound: Outbound;
  log: Log;
  metrics: Metrics;
  version: string | undefined;
}

const mostWaiting = 2048;
const batchSpans = 512;
const everyMs = 2000;
const flushMs = 2000;

/** What is wrong with the configuration of traces, in words. */
export function spansProblems({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint }: Config): string[] {
  if (!endpoint || (/^https?:\/\//.test(endpoint) && URL.canParse(endpoint))) return [];
  return ["OTEL_EXPORTER_OTLP_ENDPOINT must be the address of a collector, like http://127.0.0.1:4318"];
}

/** Collects spans for the collector at `OTEL_EXPORTER_OTLP_ENDPOINT`; null without one. What it does not take is dropped. */
export function createSpans({ config, outbound, log, metrics, version }: SpansParts): Spans | null {
  const base = config.OTEL_EXPORTER_OTLP_ENDPOINT?.replace(/\/+$/, "");
  if (!base) return null;
  const queue: Span[] = [];
  let timer: Timer | null = null;
  let sending: Promise<void> | null = null;

  const dropped = (reason: "full" | "refused" | "unreachable", spans: number) => {
    metrics.count("trace_spans_dropped_total", { reason }, spans);
    log.debug("oa.trace", "spans dropped", { reason, spans });
  };
  const post = async (spans: Span[]): Promise<void> => {
    const body = await encode(spans, version, config.OA_NODE_ID ?? null);
    try {
      const { status } = await outbound.call({
        service: "otlp",
        method: "POST",
        url: `${base}/v1/traces`,
        headers: { "content-type": "application/x-protobuf", accept: "application/x-protobuf" },
        body,
        timeoutMs: 10_000,
      });
      if (status >= 300) dropped("refused", spans.length);
    } catch {
      dropped("unreachable", spans.length);
    }
  };
  const send = (): Promise<void> => {
    if (timer) clearTimeout(timer);
    timer = null;
    sending ??= (async () => {
      while (queue.length) await post(queue.splice(0, batchSpans));
    })()
      .catch((error: unknown) => log.warn("oa.trace", "spans failed", { error_message: String(error) }))
      .finally(() => {
        sending = null;
      });
    return sending;
  };
  return {
    record(span) {
      if (queue.length >= mostWaiting) {
        queue.shift();
        dropped("full", 1);
      }
      queue.push(span);
      if (queue.length >= batchSpans) void send();
      else timer ??= setTimeout(() => void send(), everyMs);
    },
    flush: () => within(flushMs, send()),
  };
}

type Readable = Parameters<typeof ProtobufTraceSerializer.serializeRequest>[0][number];

const kinds = { server: 1, client: 2 } as const;
const SAMPLED = 1;
const UNSET = 0;
const ERROR = 2;

const time = (ms: number): [number, number] => {
  const seconds = Math.floor(ms / 1000);
  return [seconds, Math.round((ms - seconds * 1000) * 1e6)];
};

/** An `ExportTraceServiceRequest` in protobuf. */
async function encode(spans: Span[], version: string | undefined, node: string | null): Promise<Uint8Array> {
  const { ProtobufTraceSerializer: serializer } = await import("@opentelemetry/otlp-transformer");
  const attributes = {
    "service.name": "openagents",
    ...(version ? { "service.version": version } : {}),
    ...(node ? { "service.instance.id": node } : {}),
  };
  const shared = {
    resource: { attributes } as unknown as Readable["resource"],
    instrumentationScope: { name: "openagents", ...(version ? { version } : {}) },
    links: [],
    events: [],
    ended: true,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
  const readable = spans.map((span): Readable => {
    const context = (spanId: string) => ({ traceId: span.traceId, spanId, traceFlags: SAMPLED });
    return {
      ...shared,
      name: span.name,
      kind: kinds[span.kind],
      spanContext: () => context(span.spanId),
      ...(span.parentId ? { parentSpanContext: context(span.parentId) } : {}),
      startTime: time(span.startedAt),
      endTime: time(span.startedAt + span.durationMs),
      duration: time(span.durationMs),
      status: { code: span.failed ? ERROR : UNSET },
      attributes: span.attributes,
    };
  });
  return serializer.serializeRequest(readable) ?? new Uint8Array();
}
