/** What is known of every request before anything else happens (http-platform 2.4, 2.5). */
export interface Facts {
  requestId: string;
  traceId: string;
  spanId: string;
  /** The span that asked; null where the trace begins here. */
  parentSpanId: string | null;
  /** Whether whoever asked wants the trace recorded. */
  sampled: boolean;
  /** `tracestate` of a valid trace, for calls that go on from here. */
  traceState: string | null;
  /** Client address after the trusted-proxy walk, RFC 5952. */
  ip: string;
  scheme: "http" | "https";
  /** Host with port as the client sees it. */
  host: string;
  /** `{scheme}://{host}`. */
  origin: string;
  startedAt: number;
  /** Whether cookies set now carry `Secure` (auth 2.0). */
  secureCookies: boolean;
  cookies: Record<string, string>;
  userAgent: string;
}
