import { randomBytes } from "node:crypto";
import type { Log } from "../telemetry/log";
import type { Metrics } from "../telemetry/metrics";
import type { Span } from "../telemetry/spans";

export interface OutboundRequest {
  /** Label in metrics and logs: `workos`, `posthog`, … */
  service: string;
  method: "GET" | "POST" | "PATCH" | "PUT" | "DELETE";
  url: string;
  headers?: Record<string, string>;
  json?: unknown;
  /** A body that is text or bytes already, instead of `json`. */
  body?: string | Uint8Array;
  timeoutMs: number;
  maxBytes?: number;
  /** The request that makes this call: its id and trace go with it. A call without one begins a trace of its own. */
  from?: { requestId: string; traceId?: string; spanId?: string; sampled?: boolean; traceState?: string | null };
}

export interface OutboundResponse {
  status: number;
  headers: Headers;
  text: string;
  /** The parsed body, or undefined when it is not JSON. */
  json: unknown;
}

/** The one outbound HTTP function of all domains (http-platform 6). */
export interface Outbound {
  /**
   * Never follows redirects, caps the response body at `maxBytes` (default 1 MiB) and the whole call at `timeoutMs`.
   * Rejects with `OutboundError` on network failure, timeout or an over-long body; any HTTP status resolves.
   */
  call(request: OutboundRequest): Promise<OutboundResponse>;
}

export class OutboundError extends Error {
  constructor(
    readonly reason: "timeout" | "network" | "too_large",
    message: string,
  ) {
    super(message);
    this.name = "OutboundError";
  }
}

/** @param record told of each call as a span of its trace. */
export function createOutbound(log: Log, metrics: Metrics, record: (span: Span) => void = () => {}): Outbound {
  return {
    async call(request) {
      const { service, method, url, from } = request;
      const started = performance.now();
      const at = { traceId: from?.traceId ?? random(16), spanId: random(8), sampled: from?.sampled ?? true };
      let status = "failed";
      try {
        const response = await send(request, at);
        status = String(response.status);
        return response;
      } finally {
        const duration = performance.now() - started;
        metrics.count("outbound_requests_total", { service, status });
        metrics.observe("outbound_duration_seconds", duration / 1000, { service });
        const { host, pathname } = new URL(url);
        log.info("oa.outbound", "outbound call", {
          service,
          method,
          host,
          path: pathname,
          status,
          duration_ms: Math.round(duration * 10) / 10,
          request_id: from?.requestId,
          trace_id: from?.traceId,
        });
        // What carries the spans makes none.
        if (service !== "otlp" && at.sampled) {
          record({
            ...at,
            parentId: from?.spanId ?? null,
            kind: "client",
            name: `${method} ${service}`,
            startedAt: Date.now() - duration,
            durationMs: duration,
            attributes: {
              "http.request.method": method,
              "server.address": host,
              "peer.service": service,
              ...(status === "failed" ? {} : { "http.response.status_code": Number(status) }),
            },
            failed: status === "failed" || Number(status) >= 400,
          });
        }
      }
    },
  };
}

const random = (bytes: number): string => randomBytes(bytes).toString("hex");

/** Where a call stands in its trace. */
interface Place {
  traceId: string;
  spanId: string;
  sampled: boolean;
}

async function send(request: OutboundRequest, { traceId, spanId, sampled }: Place): Promise<OutboundResponse> {
  const {
    method,
    url,
    headers,
    json,
    body = json === undefined ? undefined : JSON.stringify(json),
    timeoutMs,
    maxBytes = 1_048_576,
    from,
  } = request;
  try {
    const response = await fetch(url, {
      method,
      redirect: "manual",
      signal: AbortSignal.timeout(timeoutMs),
      headers: {
        "user-agent": "OpenAgents",
        accept: "application/json",
        ...(json === undefined ? {} : { "content-type": "application/json" }),
        traceparent: `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`,
        ...(from ? { "x-request-id": from.requestId } : {}),
        ...(from?.traceState ? { tracestate: from.traceState } : {}),
        ...headers,
      },
      ...(body === undefined ? {} : { body: body as BodyInit }),
    });
    const text = await readText(response, maxBytes);
    return { status: response.status, headers: response.headers, text, json: parsed(text) };
  } catch (error) {
    if (error instanceof OutboundError) throw error;
    if (error instanceof Error && /Timeout|Abort/.test(error.name))
      throw new OutboundError("timeout", "the call took too long");
    throw new OutboundError("network", error instanceof Error ? error.message : "the call failed");
  }
}

async function readText(response: Response, maxBytes: number): Promise<string> {
  if (!response.body) return "";
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    size += chunk.byteLength;
    if (size > maxBytes) throw new OutboundError("too_large", `the answer is larger than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
