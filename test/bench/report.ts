import type { Figure } from "./khala";

/** `293`, `29.3`, `2.93`: three digits are what a median of a few rounds can bear. */
const digits = (value: number): string => (value >= 100 ? String(Math.round(value)) : value.toPrecision(3));

/** Prints each figure as it comes; returns how many were missed. */
export async function report(figures: AsyncIterable<Figure>): Promise<number> {
  let missed = 0;
  for await (const { name, ours, yardstick, ratio, must, met } of figures) {
    const columns = [name, digits(ours), yardstick === null ? "–" : digits(yardstick)];
    console.log([...columns, ratio === null ? "–" : ratio.toFixed(2), must, met ? "met" : "MISSED"].join("  |  "));
    if (!met) missed++;
  }
  return missed;
}
