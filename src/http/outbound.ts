import { randomBytes } from "node:crypto";
import type { Log } from "../telemetry/log";
import type { Metrics } from "../telemetry/metrics";

export interface OutboundRequest {
  /** Label in metrics and logs: `workos`, `posthog`, … */
  service: string;
  method: "GET" | "POST" | "PATCH" | "PUT" | "DELETE";
  url: string;
  headers?: Record<string, string>;
  json?: unknown;
  /** A body that is text already, instead of `json`. */
  body?: string;
  timeoutMs: number;
  maxBytes?: number;
  /** The request that makes this call: its id and trace go with it. A call without one begins a trace of its own. */
  from?: { requestId: string; traceId?: string; traceState?: string | null };
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

export function createOutbound(log: Log, metrics: Metrics): Outbound {
  return {
    async call(request) {
      const { service, method, url } = request;
      const started = performance.now();
      let status = "failed";
      try {
        const response = await send(request);
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
          request_id: request.from?.requestId,
          trace_id: request.from?.traceId,
        });
      }
    },
  };
}

async function send({
  method,
  url,
  headers,
  json,
  body = json === undefined ? undefined : JSON.stringify(json),
  timeoutMs,
  maxBytes = 1_048_576,
  from,
}: OutboundRequest): Promise<OutboundResponse> {
  try {
    const response = await fetch(url, {
      method,
      redirect: "manual",
      signal: AbortSignal.timeout(timeoutMs),
      headers: {
        "user-agent": "OpenAgents",
        accept: "application/json",
        ...(json === undefined ? {} : { "content-type": "application/json" }),
        traceparent: `00-${from?.traceId ?? randomBytes(16).toString("hex")}-${randomBytes(8).toString("hex")}-01`,
        ...(from ? { "x-request-id": from.requestId } : {}),
        ...(from?.traceState ? { tracestate: from.traceState } : {}),
        ...headers,
      },
      ...(body === undefined ? {} : { body }),
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
