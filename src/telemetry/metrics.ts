import { Counter, Gauge, Histogram, Registry } from "prom-client";

type Labels = Record<string, string | number>;

/** Counters, gauges and histograms by name (http-platform 3.10); each is declared by its first use. */
export interface Metrics {
  registry: Registry;
  count(name: string, labels?: Labels, by?: number): void;
  gauge(name: string, value: number, labels?: Labels): void;
  observe(name: string, value: number, labels?: Labels, buckets?: number[]): void;
  /** `oa_events_total{event}`: every domain counter (http-platform 3.10). */
  event(name: string): void;
}

/** Buckets of request durations, 5 ms to 10 s. */
const seconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export function createMetrics(): Metrics {
  const registry = new Registry();
  const made = new Map<string, Counter | Gauge | Histogram>();
  const once = <T extends Counter | Gauge | Histogram>(name: string, make: () => T): T => {
    const known = made.get(name) as T | undefined;
    if (known) return known;
    const metric = make();
    made.set(name, metric);
    return metric;
  };
  const base = (name: string, labels: Labels) => ({
    name,
    help: name.replaceAll("_", " "),
    labelNames: Object.keys(labels),
    registers: [registry],
  });
  const metrics: Metrics = {
    registry,
    count: (name, labels = {}, by = 1) => once(name, () => new Counter(base(name, labels))).inc(labels, by),
    gauge: (name, value, labels = {}) => once(name, () => new Gauge(base(name, labels))).set(labels, value),
    observe: (name, value, labels = {}, buckets = seconds) =>
      once(name, () => new Histogram({ ...base(name, labels), buckets })).observe(labels, value),
    event: (name) => metrics.count("oa_events_total", { event: name }),
  };
  return metrics;
}
