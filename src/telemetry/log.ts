export type Level = "debug" | "info" | "warn" | "error";

/** Structured log (http-platform 3.10). Everything passes one redaction before it is written. */
export interface Log {
  debug(logger: string, message: string, fields?: Record<string, unknown>): void;
  info(logger: string, message: string, fields?: Record<string, unknown>): void;
  warn(logger: string, message: string, fields?: Record<string, unknown>): void;
  error(logger: string, message: string, fields?: Record<string, unknown>): void;
  flush(): Promise<void>;
}
