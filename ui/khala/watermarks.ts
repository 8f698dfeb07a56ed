/**
 * The last applied watermark per topic (khala 3.2, rule 5). A topic without one starts at the head and needs a snapshot.
 */
export class Watermarks {
  readonly #last = new Map<string, number>();

  get(topic: string): number | undefined {
    return this.#last.get(topic);
  }

  set(topic: string, watermark: number) {
    this.#last.set(topic, watermark);
  }

  forget(topic: string) {
    this.#last.delete(topic);
  }

  clear() {
    this.#last.clear();
  }

  /** `duplicate` is dropped; `gap` is a bug of the sender: subscribe again from the last one. */
  judge(topic: string, watermark: number): "next" | "duplicate" | "gap" {
    const last = this.#last.get(topic);
    if (last === undefined || watermark === last + 1) return "next";
    return watermark <= last ? "duplicate" : "gap";
  }

  /** `resume_after` for these topics: the watermark where there is one, else the head. */
  resume(topics: Iterable<string>): Record<string, number | "head"> {
    return Object.fromEntries([...topics].map((topic) => [topic, this.#last.get(topic) ?? ("head" as const)]));
  }

  list(): { topic: string; watermark: number }[] {
    return [...this.#last].map(([topic, watermark]) => ({ topic, watermark }));
  }
}
