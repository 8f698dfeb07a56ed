/** Product analytics (auth 3.14, http-platform 3.11). Never delays or fails a request. */
export interface Analytics {
  capture(distinctId: string, event: string, properties?: Record<string, unknown>): void;
  identify(distinctId: string, set: Record<string, unknown>): void;
  flush(): Promise<void>;
}
