import type { Registry } from "prom-client";

type Labels = Record<string, string | number>;

/** Counters, gauges and histograms by name (http-platform 3.10); each is declared once by its first use. */
export interface Metrics {
  registry: Registry;
  count(name: string, labels?: Labels, by?: number): void;
  gauge(name: string, value: number, labels?: Labels): void;
  observe(name: string, value: number, labels?: Labels, buckets?: number[]): void;
  /** `oa_events_total{event}`: every domain counter (http-platform 3.10). */
  event(name: string): void;
}
