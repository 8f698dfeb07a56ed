/** The one outbound HTTP function of all domains (http-platform 6). */
export interface Outbound {
  /**
   * Never follows redirects, caps the response body at `maxBytes` (default 1 MiB) and the whole call at `timeoutMs`.
   * Rejects with `OutboundError` on network failure, timeout or an over-long body; any HTTP status resolves.
   */
  call(request: OutboundRequest): Promise<OutboundResponse>;
}

export interface OutboundRequest {
  /** Label in metrics and logs: `workos`, `posthog`, … */
  service: string;
  method: "GET" | "POST" | "PATCH" | "PUT" | "DELETE";
  url: string;
  headers?: Record<string, string>;
  json?: unknown;
  timeoutMs: number;
  maxBytes?: number;
  requestId?: string;
}

export interface OutboundResponse {
  status: number;
  headers: Headers;
  text: string;
  /** The parsed body, or undefined when it is not JSON. */
  json: unknown;
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
