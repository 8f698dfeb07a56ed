import { type Counter, Histogram, type HistogramConfiguration } from "prom-client";

export type Labels = Record<string, string | number>;

/** Values of one metric by label set, found by one look-up: prom-client makes and sorts a key of its own at every count. */
class Rows<Value> {
  readonly rows = new Map<string, { labels: Labels; value: Value }>();

  constructor(readonly fresh: () => Value) {}

  of(labels: Labels): { labels: Labels; value: Value } {
    let key = "";
    for (const name in labels) key += `${labels[name]}\n`;
    let row = this.rows.get(key);
    if (!row) {
      row = { labels: { ...labels }, value: this.fresh() };
      this.rows.set(key, row);
    }
    return row;
  }
}

/** What a counter counted since it was last read, handed to `counter` when somebody reads. */
export function counting(): { add(labels: Labels, by: number): void; hand(counter: Counter): void } {
  const rows = new Rows(() => 0);
  return {
    add(labels, by) {
      rows.of(labels).value += by;
    },
    hand(counter) {
      for (const row of rows.rows.values()) {
        counter.inc(row.labels, row.value);
        row.value = 0;
      }
    },
  };
}

const emptyBuckets = (bounds: number[]) => ({ counts: bounds.map(() => 0), sum: 0, count: 0 });

/** A histogram whose `add` costs a look-up and an addition. */
export class Buckets extends Histogram {
  readonly #rows: Rows<ReturnType<typeof emptyBuckets>>;

  constructor(
    readonly settings: HistogramConfiguration<string> & { name: string },
    readonly bounds: number[],
  ) {
    super({ ...settings, buckets: bounds });
    this.#rows = new Rows(() => emptyBuckets(bounds));
  }

  add(labels: Labels, value: number): void {
    const row = this.#rows.of(labels).value;
    row.sum += value;
    row.count++;
    const at = this.bounds.findIndex((bound) => value <= bound);
    if (at >= 0) row.counts[at] = (row.counts[at] as number) + 1;
  }

  /** What prom-client prints a histogram from. */
  async getForPromString() {
    const { name, help } = this.settings;
    const values = [...this.#rows.rows.values()].flatMap(({ labels, value: { counts, sum, count } }) => {
      const row = (end: string, value: number, more?: Labels) => ({
        metricName: `${name}_${end}`,
        labels: { ...labels, ...more },
        sharedLabels: {},
        value,
      });
      let below = 0;
      const buckets = counts.map((own, i) => {
        below += own;
        return row("bucket", below, { le: this.bounds[i] as number });
      });
      return [...buckets, row("bucket", count, { le: "+Inf" }), row("sum", sum), row("count", count)];
    });
    return { name, help, type: "histogram", aggregator: "sum", values };
  }
}
