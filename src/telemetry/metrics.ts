import { Counter, Gauge, Registry } from "prom-client";
import { Buckets, counting, type Labels } from "./series";

/** Counters, gauges and histograms by name (http-platform 3.10); each is declared by its first use. */
export interface Metrics {
  registry: Registry;
  count(name: string, labels?: Labels, by?: number): void;
  gauge(name: string, value: number, labels?: Labels): void;
  observe(name: string, value: number, labels?: Labels, buckets?: number[]): void;
  /** The answer of a named statement, whose time goes to `db_query_duration_seconds{statement}`. */
  query<T>(statement: string, asked: PromiseLike<T>): Promise<T>;
  /** `oa_events_total{event}`: every domain counter (http-platform 3.10). */
  event(name: string): void;
}

/** Buckets of request durations, 5 ms to 10 s. */
const seconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const none: Labels = {};

export function createMetrics(): Metrics {
  const registry = new Registry();
  const counters = new Map<string, ReturnType<typeof counting>>();
  const gauges = new Map<string, Gauge>();
  const histograms = new Map<string, Buckets>();
  const base = (name: string, labels: Labels) => ({
    name,
    help: helpOf(name),
    labelNames: Object.keys(labels),
    registers: [registry],
  });

  const counter = (name: string, labels: Labels) => {
    const made = counting();
    new Counter({
      ...base(name, labels),
      collect() {
        made.hand(this);
      },
    });
    counters.set(name, made);
    return made;
  };
  const gauge = (name: string, labels: Labels) => {
    const made = new Gauge(base(name, labels));
    gauges.set(name, made);
    return made;
  };
  const histogram = (name: string, labels: Labels, buckets: number[]) => {
    const made = new Buckets(base(name, labels), buckets);
    histograms.set(name, made);
    return made;
  };

  const metrics: Metrics = {
    registry,
    count: (name, labels = none, by = 1) => (counters.get(name) ?? counter(name, labels)).add(labels, by),
    gauge: (name, value, labels = none) => (gauges.get(name) ?? gauge(name, labels)).set(labels, value),
    observe: (name, value, labels = none, buckets = seconds) =>
      (histograms.get(name) ?? histogram(name, labels, buckets)).add(labels, value),
    async query(statement, asked) {
      const began = performance.now();
      try {
        return await asked;
      } finally {
        metrics.observe("db_query_duration_seconds", (performance.now() - began) / 1000, { statement });
      }
    },
    event: (name) => metrics.count("oa_events_total", { event: name }),
  };
  return metrics;
}

const helpOf = (name: string): string => name.replaceAll("_", " ");
